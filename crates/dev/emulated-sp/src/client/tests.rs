use chancery_platform::{GuestFields, RootKey};

use super::*;
use crate::server::serve;

/// A processor that shows what reached it.
struct Echo;

impl SecureProcessor for Echo {
    fn report(&self, report_data: &[u8; REPORT_DATA_SIZE]) -> Result<Vec<u8>, PlatformError> {
        match report_data {
            [0, ..] => Err(PlatformError::Refused),
            [1, ..] => Ok(vec![0; 7]),
            [2, ..] => Err(PlatformError::Busy),
            _ => Ok([report_data.as_slice(), &[0; REPORT_SIZE - REPORT_DATA_SIZE]].concat()),
        }
    }

    fn certificates(&self) -> Result<CertificateTable, PlatformError> {
        Ok(CertificateTable {
            vcek: Some(vec![1; 60_000]),
            ask: Some(vec![2]),
            ark: None,
            crl: Some(Vec::new()),
        })
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
    assert_eq!(client.certificates(), Echo.certificates());
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
    assert_eq!(client.report(&[2; 64]), Err(PlatformError::System));
    assert!(client.report(&[3; 64]).is_ok(), "the line still works");
}

#[test]
fn the_owner_is_told_when_the_processor_ends_and_later_calls_fail() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (sender, lost) = mpsc::channel();
    let client = EmulatedProcessor::over(theirs, move || sender.send(()).unwrap()).unwrap();
    drop(ours);
    lost.recv().unwrap();
    assert_eq!(client.report(&[3; 64]), Err(PlatformError::Lost));
    assert_eq!(client.certificates(), Err(PlatformError::Lost));
}

#[test]
fn a_processor_that_talks_nonsense_is_lost() {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let (sender, lost) = mpsc::channel();
    let client = EmulatedProcessor::over(theirs, move || sender.send(()).unwrap()).unwrap();
    ours.write_all(&[0, 0, 0, 2, 1, 1]).unwrap();
    lost.recv().unwrap();
    assert_eq!(client.report(&[3; 64]), Err(PlatformError::Lost));
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
