use chancery_platform::{GuestFields, RootKey};

use super::*;
use crate::certificate_table::{CertificateForm, HostCertificates, TableContents};
use crate::server::{GuestDevice, serve};

/// A processor that shows what reached it.
struct Echo;

impl GuestDevice for Echo {
    fn report(&self, report_data: &[u8; REPORT_DATA_SIZE]) -> Result<Vec<u8>, PlatformError> {
        match report_data {
            [0, ..] => Err(PlatformError::Refused),
            [1, ..] => Ok(vec![0; 7]),
            [2, ..] => Err(PlatformError::Busy),
            [3, ..] => Err(PlatformError::Lost),
            [4, ..] => Err(PlatformError::System),
            _ => Ok([report_data.as_slice(), &[0; REPORT_SIZE - REPORT_DATA_SIZE]].concat()),
        }
    }

    fn certificate_table(&self) -> Result<Vec<u8>, PlatformError> {
        certificates()
            .to_table(CertificateForm::Pem, TableContents::WithoutCrl)
            .ok_or(PlatformError::System)
    }

    fn derived_key(&self, request: &DerivedKeyRequest) -> Result<Key, PlatformError> {
        let expected = DerivedKeyRequest {
            root_key: RootKey::Vmrk,
            guest_field_select: GuestFields::IMAGE_ID.with(GuestFields::TCB_VERSION),
            vmpl: 3,
            guest_svn: 4,
            tcb_version: u64::MAX,
        };
        if *request == expected {
            Ok(Key::from_bytes([9; 32]))
        } else {
            Err(PlatformError::Refused)
        }
    }
}

fn certificates() -> HostCertificates {
    HostCertificates {
        ark: vec![0x30; 40_000],
        ask: vec![0x30, 2],
        vcek: vec![0x30, 3],
        crl: vec![0x30, 4],
    }
}

fn connect() -> (EmulatedProcessor, mpsc::Receiver<()>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    thread::spawn(move || serve(&Echo, ours));
    let (sender, lost) = mpsc::channel();
    let client = EmulatedProcessor::over(theirs, move || sender.send(()).unwrap()).unwrap();
    (client, lost)
}

#[test]
fn every_request_passes_unchanged_and_every_answer_back() {
    let (client, _lost) = connect();
    let report = client.report(&[7; 64]).unwrap();
    assert_eq!(report[..64], [7; 64]);
    assert_eq!(report.len(), REPORT_SIZE);
    let table = client.certificates().unwrap();
    assert_eq!(table.ark, Some(certificates().ark));
    assert_eq!(table.ask, Some(certificates().ask));
    assert_eq!(table.vcek, Some(certificates().vcek));
    assert_eq!(table.crl, None);
    let request = DerivedKeyRequest {
        root_key: RootKey::Vmrk,
        guest_field_select: GuestFields::IMAGE_ID.with(GuestFields::TCB_VERSION),
        vmpl: 3,
        guest_svn: 4,
        tcb_version: u64::MAX,
    };
    assert_eq!(client.derived_key(&request).unwrap().expose(), &[9; 32]);
}

#[test]
fn refusals_failures_and_malformed_answers_are_told_apart() {
    let (client, _lost) = connect();
    assert_eq!(client.report(&[0; 64]), Err(PlatformError::Refused));
    assert_eq!(client.report(&[1; 64]), Err(PlatformError::Malformed));
    assert_eq!(client.report(&[2; 64]), Err(PlatformError::Busy));
    assert_eq!(client.report(&[4; 64]), Err(PlatformError::System));
    assert!(client.report(&[5; 64]).is_ok(), "the line still works");
}

#[test]
fn a_broken_channel_is_given_up_for_good() {
    let (client, _lost) = connect();
    assert!(client.report(&[5; 64]).is_ok());
    assert_eq!(client.report(&[3; 64]), Err(PlatformError::Lost));
    assert_eq!(client.report(&[5; 64]), Err(PlatformError::Lost));
    assert_eq!(client.certificates(), Err(PlatformError::Lost));
    let request = DerivedKeyRequest::sealing(0, 0);
    assert_eq!(
        client.derived_key(&request).err(),
        Some(PlatformError::Lost)
    );
}

/// A processor's end that answers requests with these frames in turn, whatever they ask.
fn scripted(replies: Vec<GuestReply>) -> EmulatedProcessor {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    thread::spawn(move || {
        let mut decoder = Decoder::with_limit(4096);
        let mut buffer = [0; 4096];
        for reply in replies {
            while decoder.pull::<GuestRequest>().unwrap().is_none() {
                let count = ours.read(&mut buffer).unwrap();
                decoder.push(&buffer[..count]).unwrap();
            }
            ours.write_all(&encode(&reply).unwrap()).unwrap();
        }
        // Stays open until the guest's end closes.
        ours.read_to_end(&mut Vec::new()).unwrap();
    });
    EmulatedProcessor::over(theirs, || ()).unwrap()
}

fn report(sequence: u64) -> GuestReply {
    GuestReply {
        sequence,
        reply: Reply::Report(vec![0; REPORT_SIZE]),
    }
}

#[test]
fn an_answer_under_another_number_than_expected_breaks_the_channel() {
    for wrong in [0, 1, 3, 4, u64::MAX] {
        let client = scripted(vec![report(wrong), report(2), report(4)]);
        assert_eq!(client.report(&[5; 64]), Err(PlatformError::Lost), "{wrong}");
        assert_eq!(client.report(&[5; 64]), Err(PlatformError::Lost));
    }
    let replayed = scripted(vec![report(2), report(2), report(4)]);
    assert!(replayed.report(&[5; 64]).is_ok());
    assert_eq!(replayed.report(&[5; 64]), Err(PlatformError::Lost));
    let busy = GuestReply {
        sequence: 2,
        reply: Reply::Busy,
    };
    let counted = scripted(vec![busy, report(2)]);
    assert_eq!(
        counted.report(&[5; 64]),
        Err(PlatformError::Lost),
        "put off, and counted nevertheless"
    );
}

#[test]
fn a_request_under_another_number_than_expected_is_not_answered() {
    let (mut guest, processor) = UnixStream::pair().unwrap();
    thread::spawn(move || serve(&Echo, processor));
    let mut decoder = Decoder::with_limit(REPLY_SIZE_MAX);
    let mut buffer = [0; 4096];
    let mut ask = |sequence| {
        let request = Request::Report {
            report_data: vec![5; 64],
        };
        let message = GuestRequest { sequence, request };
        guest.write_all(&encode(&message).unwrap()).unwrap();
        loop {
            if let Some(GuestReply { sequence, reply }) = decoder.pull().unwrap() {
                return (sequence, matches!(reply, Reply::Report(_)));
            }
            let count = guest.read(&mut buffer).unwrap();
            decoder.push(&buffer[..count]).unwrap();
        }
    };
    for wrong in [0, 2, 3, u64::MAX] {
        assert_eq!(ask(wrong), (0, false));
    }
    assert_eq!(ask(1), (2, true));
    assert_eq!(ask(1), (2, false), "a replay");
    assert_eq!(ask(3), (4, true));
}

#[test]
fn the_owner_is_told_when_the_processor_ends_and_later_calls_fail() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (sender, lost) = mpsc::channel();
    let client = EmulatedProcessor::over(theirs, move || sender.send(()).unwrap()).unwrap();
    drop(ours);
    lost.recv().unwrap();
    assert_eq!(client.report(&[5; 64]), Err(PlatformError::Lost));
    assert_eq!(client.certificates(), Err(PlatformError::Lost));
}

#[test]
fn a_processor_that_talks_nonsense_is_lost() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let (sender, lost) = mpsc::channel();
    let client = EmulatedProcessor::over(theirs, move || sender.send(()).unwrap()).unwrap();
    ours.write_all(&[0, 0, 0, 2, 1, 1]).unwrap();
    lost.recv().unwrap();
    assert_eq!(client.report(&[5; 64]), Err(PlatformError::Lost));
}

#[test]
fn the_processor_stops_serving_a_guest_that_talks_nonsense() {
    let (mut guest, processor) = UnixStream::pair().unwrap();
    let server = thread::spawn(move || serve(&Echo, processor));
    guest.write_all(&u32::MAX.to_be_bytes()).unwrap();
    let error = server.join().unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
}

#[test]
fn field_bits_and_roots_without_a_meaning_are_refused() {
    use crate::protocol::parse_derived_key;
    assert!(parse_derived_key(1, 0x3f, 0, 0, 0).is_some());
    assert!(parse_derived_key(2, 0x3f, 0, 0, 0).is_none());
    assert!(parse_derived_key(1, 0x40, 0, 0, 0).is_none());
}
