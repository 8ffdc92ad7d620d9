//! Gathering from a host and a service that are played.

use chancery_platform_snp::parse_certificate_table;
use chancery_testkit::Seeded;
use chancery_wire::EgressReply;

use super::*;

pub(crate) mod vectors;
mod world;

use vectors::{
    MILAN_DUE_MS, MILAN_LIST, MILAN_NOW_MS, MILAN_OVER_MS, is_accepted_by_clients, pki, read,
    report, rules_of_root, signed_report, table_of, vcek,
};
use world::{HOUR_US, Page, SECOND_US, World, ok, status};

const CHIP: &str = "milan-v3-vcek-01-oak";
const OTHER_CHIP: &str = "milan-v3-vcek-02-oak";
const LIST: &str = "/vcek/v1/Milan/crl";

fn none() -> CertificateTable {
    CertificateTable::default()
}

fn target(name: &str) -> String {
    let subject = Subject::of(&report(name)).unwrap();
    KdsRequest::Vcek(subject.chip().unwrap()).target()
}

fn missing(piece: Piece, kds: KdsFailure) -> Result<Evidence, CollateralError> {
    Err(CollateralError::Missing { piece, kds })
}

/// A service that has everything for `CHIP`.
fn serving() -> World {
    let world = World::new();
    world.put(&target(CHIP), ok(&vcek(CHIP)));
    world.put(LIST, ok(&read(MILAN_LIST)));
    world
}

#[tokio::test]
async fn what_the_host_does_not_have_is_asked_of_amd_and_kept_for_the_next_start() {
    let mut world = serving();
    let evidence = world.gather(report(CHIP), &none(), MILAN_NOW_MS).await;
    let evidence = evidence.unwrap();
    assert_eq!(world.asked(), [target(CHIP), LIST.to_owned()]);
    assert_eq!(evidence.vcek, vcek(CHIP));
    assert_eq!(evidence.crl, read(MILAN_LIST));
    let metrics = world.status.metrics().snapshot();
    assert_eq!(metrics.collateral_answered, 2);
    assert_eq!(metrics.collateral_failed, 0);
    // The next reports ask nobody, and neither does the next start.
    let again = world.gather(report(CHIP), &none(), MILAN_NOW_MS).await;
    assert_eq!(again.as_ref(), Ok(&evidence));
    world.restart();
    let again = world.gather(report(CHIP), &none(), MILAN_NOW_MS).await;
    assert_eq!(again, Ok(evidence));
    assert_eq!(world.asked(), [""; 0]);
    assert_eq!(world.status.kept_collateral(), None, "nothing new");
}

#[tokio::test]
async fn the_table_beside_a_report_is_enough() {
    let world = World::new();
    let table = CertificateTable {
        crl: Some(read(MILAN_LIST)),
        ..table_of(CHIP)
    };
    let evidence = world.collateral.staple(report(CHIP), &table, MILAN_NOW_MS);
    assert!(is_accepted_by_clients(&evidence.unwrap(), MILAN_NOW_MS));
    assert!(!world.collateral.is_wanted());
    assert_eq!(world.connections(), 0);
}

#[tokio::test]
async fn a_genuine_table_in_pem_is_stapled_and_comes_out_of_the_encoding_again() {
    const NAME: &str = "genoa-v3-vcek-01-tsm";
    let world = World::with_rules(Rules::of::<chancery_verify::Amd>(false, CrlNumbers::ANY));
    let auxblob = read(&format!("reports/{NAME}/auxblob.bin"));
    let table = parse_certificate_table(&auxblob).unwrap();
    let evidence = world
        .gather(report(NAME), &table, MILAN_NOW_MS)
        .await
        .unwrap();
    assert_eq!(evidence.report, report(NAME));
    assert_eq!(evidence.vcek, vcek(NAME));
    assert_eq!(evidence.ask, read("roots/genoa/ask.der"));
    assert_eq!(evidence.ark, read("roots/genoa/ark.der"));
    let encoded = evidence.encode().unwrap();
    assert_eq!(Evidence::decode(&encoded), Ok(evidence));
    assert_eq!(world.connections(), 0);
}

#[tokio::test]
async fn a_wrong_table_does_not_hide_what_others_have() {
    let world = serving();
    let mut table = table_of(OTHER_CHIP);
    table.ask = Some(read("roots/milan/asvk.der"));
    table.ark = Some(pki("genoa-ark"));
    table.crl = Some(b"garbage".to_vec());
    let evidence = world.gather(report(CHIP), &table, MILAN_NOW_MS).await;
    assert_eq!(evidence.unwrap().vcek, vcek(CHIP));
}

#[tokio::test]
async fn files_are_enough_without_a_network() {
    let mut world = World::new();
    world.without_service();
    let expected = missing(Piece::Vcek, KdsFailure::Off);
    assert_eq!(
        world.gather(report(CHIP), &none(), MILAN_NOW_MS).await,
        expected
    );
    assert_eq!(
        expected.unwrap_err().to_string(),
        "collateral: vcek_missing (kds_off)"
    );
    // One file for a whole fleet.
    let mut fleet = Pool::default();
    for name in vectors::reports("milan") {
        fleet.add_certificate(&vcek(&name));
    }
    world.put_file(fleet.write().as_bytes());
    let outcome = world.gather(report(CHIP), &none(), MILAN_NOW_MS).await;
    assert_eq!(outcome, missing(Piece::RevocationList, KdsFailure::Off));
    fleet.add_list(&read(MILAN_LIST));
    world.put_file(fleet.write().as_bytes());
    for name in vectors::reports("milan-v3-vcek") {
        let now_ms = MILAN_NOW_MS;
        let evidence = world.gather(report(&name), &none(), now_ms).await;
        assert_eq!(evidence.unwrap().vcek, vcek(&name), "{name}");
    }
    assert_eq!(world.connections(), 0);
}

#[tokio::test]
async fn a_file_that_is_none_is_passed_over() {
    let world = serving();
    for bytes in [&b"garbage"[..], b"", &[0xff; 1000]] {
        world.put_file(bytes);
        assert!(
            world
                .gather(report(CHIP), &none(), MILAN_NOW_MS)
                .await
                .is_ok()
        );
    }
}

#[tokio::test]
async fn another_firmware_level_or_chip_leads_to_another_certificate() {
    let world = serving();
    world
        .gather(report(CHIP), &none(), MILAN_NOW_MS)
        .await
        .unwrap();
    world.put(&target(OTHER_CHIP), ok(&vcek(OTHER_CHIP)));
    world.asked();
    // A client's request notices it and asks nobody.
    let noticed = world
        .collateral
        .staple(report(OTHER_CHIP), &none(), MILAN_NOW_MS);
    assert_eq!(noticed, missing(Piece::Vcek, KdsFailure::NotAsked));
    assert!(world.collateral.is_wanted());
    assert_eq!(world.asked(), [""; 0]);
    let evidence = world
        .gather(report(OTHER_CHIP), &none(), MILAN_NOW_MS)
        .await;
    assert_eq!(evidence.unwrap().vcek, vcek(OTHER_CHIP));
    assert!(!world.collateral.is_wanted());
    assert_eq!(world.asked(), [target(OTHER_CHIP)], "the list is known");
}

#[tokio::test]
async fn a_report_of_another_level_takes_nothing_away() {
    let mut world = World::new();
    world.without_service();
    let names = vectors::reports("milan-v3-vcek");
    let [first, second, ..] = names.as_slice() else {
        panic!("{names:?}");
    };
    let table = |name: &str| CertificateTable {
        crl: Some(read(MILAN_LIST)),
        ..table_of(name)
    };
    let staple = |name: &str, table: &CertificateTable| {
        let report = report(name);
        world.collateral.staple(report, table, MILAN_NOW_MS)
    };
    // The table is there once, as if the host's tools had overwritten it since.
    let evidence = staple(first, &table(first)).unwrap();
    let unknown = missing(Piece::Vcek, KdsFailure::NotAsked);
    assert_eq!(staple(second, &none()), unknown);
    let gathered = world.gather(report(second), &none(), MILAN_NOW_MS).await;
    assert_eq!(gathered, missing(Piece::Vcek, KdsFailure::Off));
    assert_eq!(staple(first, &none()).as_ref(), Ok(&evidence));
    let other = staple(second, &table_of(second)).unwrap();
    assert_eq!(other.crl, read(MILAN_LIST), "the list is the root's");
    assert_eq!(staple(first, &none()).as_ref(), Ok(&evidence));
    // Nor does a moment at which nothing of it is in force.
    let over = world
        .collateral
        .staple(report(first), &none(), MILAN_OVER_MS);
    assert_eq!(over, missing(Piece::RevocationList, KdsFailure::NotAsked));
    assert_eq!(staple(first, &none()), Ok(evidence));
}

#[test]
fn what_is_kept_is_bounded_and_certificates_stay_longest() {
    let names: Vec<String> =
        [vectors::reports("milan-v3-vcek"), vectors::reports("genoa")].concat();
    let names = &names[..kept::LEVELS_MAX + 2];
    let found = |name: &str, table: &CertificateTable| {
        let subject = Subject::of(&report(name)).unwrap();
        let rules = Rules::of::<chancery_verify::Amd>(false, CrlNumbers::ANY);
        let found = fit::find(&rules, &Pool::of_table(table), &subject, MILAN_NOW_MS);
        (subject.level(), found)
    };
    let count = |kept: &Kept| kept.pool().certificates().count();
    let mut kept = Kept::default();
    let (level, good) = found(&names[0], &table_of(&names[0]));
    kept.remember(level, &good);
    for name in names.iter().chain(names) {
        let (level, nothing) = found(name, &none());
        kept.remember(level, &nothing);
        assert_eq!(count(&kept), 1, "{name}");
    }
    for name in names {
        let (level, good) = found(name, &table_of(name));
        kept.remember(level, &good);
    }
    assert_eq!(count(&kept), kept::LEVELS_MAX);
    let last: Vec<Vec<u8>> = names[2..].iter().map(|name| vcek(name)).collect();
    let kept = kept.pool();
    assert_eq!(kept.certificates().collect::<Vec<_>>(), last);
}

#[tokio::test]
async fn what_a_client_caused_asks_the_host_alone() {
    let world = serving();
    let unstapled = world.collateral.staple(report(CHIP), &none(), MILAN_NOW_MS);
    assert_eq!(unstapled, missing(Piece::Vcek, KdsFailure::NotAsked));
    assert!(world.collateral.is_wanted());
    let (collateral, table) = (&world.collateral, none());
    let gather = || collateral.gather(report(CHIP), &table, Sources::Host, MILAN_NOW_MS);
    assert_eq!(gather().await, missing(Piece::Vcek, KdsFailure::NotAsked));
    assert!(!world.collateral.is_wanted());
    let mut file = Pool::of_table(&table_of(CHIP));
    file.add_list(&read(MILAN_LIST));
    world.put_file(file.write().as_bytes());
    assert_eq!(gather().await.unwrap().vcek, vcek(CHIP));
    assert_eq!(world.connections(), 0);
}

#[tokio::test]
async fn a_list_that_revokes_the_intermediate_ends_stapling_at_once() {
    for revoking in [
        "spoiled-crl-revokes-intermediate",
        "spoiled-crl-revokes-root",
    ] {
        let world = World::with_rules(rules_of_root(&pki("genoa-ark")));
        let mut table = CertificateTable {
            vcek: Some(pki("genoa-vcek")),
            ask: Some(pki("genoa-ask")),
            ark: Some(pki("genoa-ark")),
            crl: Some(pki("genoa-crl")),
        };
        let signed = signed_report([3; 64]);
        let staple = |table: &CertificateTable| {
            let report = signed.clone();
            world.collateral.staple(report, table, MILAN_NOW_MS)
        };
        assert_eq!(staple(&table).unwrap().crl, pki("genoa-crl"));
        table.crl = Some(pki(revoking));
        let revoked = missing(Piece::Unrevoked, KdsFailure::NotAsked);
        assert_eq!(staple(&table), revoked);
        assert_eq!(staple(&none()), revoked, "what was learnt stays");
        assert!(world.collateral.is_wanted());
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_the_service_answers_nothing_unfit_is_stapled_and_the_next_answer_can_help() {
    let huge = vec![0x30; 1 << 20];
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffff\r\n".to_vec();
    let redirect = status("302 Found\r\nlocation: https://kdsintf.amd.com/elsewhere");
    let good = vcek(CHIP);
    let truncated = match ok(&good) {
        Page::Response(bytes) => Page::Response(bytes[..bytes.len() - 7].to_vec()),
        other => other,
    };
    for (page, expected) in [
        (ok(b"garbage"), KdsFailure::Unfit),
        (ok(b""), KdsFailure::Unfit),
        (ok(&vcek(OTHER_CHIP)), KdsFailure::Unfit),
        (
            ok(&read("certs-only/milan-vcek-oldtcb-chip-28efc607.der")),
            KdsFailure::Unfit,
        ),
        (ok(&good[..good.len() - 1]), KdsFailure::Unfit),
        (ok(&pki("genoa-vcek")), KdsFailure::Unfit),
        (ok(&huge), KdsFailure::TooLarge),
        (truncated, KdsFailure::Unreachable),
        (Page::Response(chunked), KdsFailure::Unreachable),
        (
            Page::Response(b"not http".to_vec()),
            KdsFailure::Unreachable,
        ),
        (status("404 Not Found"), KdsFailure::Unknown),
        (status("429 Too Many Requests"), KdsFailure::Limited),
        (status("500 Internal Server Error"), KdsFailure::Status),
        (status("204 No Content"), KdsFailure::Status),
        (redirect, KdsFailure::Status),
        (Page::Silence, KdsFailure::TimedOut),
        (Page::Drip, KdsFailure::TimedOut),
        (Page::Flood, KdsFailure::Unreachable),
    ] {
        let world = serving();
        world.put(&target(CHIP), page.clone());
        let outcome = world.gather(report(CHIP), &none(), MILAN_NOW_MS).await;
        assert_eq!(outcome, missing(Piece::Vcek, expected), "{page:?}");
        assert_eq!(world.asked(), [target(CHIP)], "no redirect is followed");
        // A host whose table has it is served all the same.
        let table = CertificateTable {
            crl: Some(read(MILAN_LIST)),
            ..table_of(CHIP)
        };
        assert!(
            world
                .gather(report(CHIP), &table, MILAN_NOW_MS)
                .await
                .is_ok()
        );
        // Another report finds the service in its pause, and then good again.
        world.put(&target(OTHER_CHIP), ok(&vcek(OTHER_CHIP)));
        let outcome = world
            .gather(report(OTHER_CHIP), &none(), MILAN_NOW_MS)
            .await;
        assert_eq!(outcome, missing(Piece::Vcek, KdsFailure::Waiting));
        world.pass(60 * SECOND_US);
        let evidence = world
            .gather(report(OTHER_CHIP), &none(), MILAN_NOW_MS)
            .await;
        assert_eq!(evidence.unwrap().vcek, vcek(OTHER_CHIP));
    }
}

#[tokio::test]
async fn a_revocation_list_that_is_of_no_use_is_not_stapled() {
    for (page, expected) in [
        (ok(b"garbage"), KdsFailure::Unfit),
        (
            ok(&read("crls/genoa-2022-10-31.crl.der")),
            KdsFailure::Unfit,
        ),
        (ok(&pki("genoa-crl")), KdsFailure::Unfit),
        (ok(&vcek(CHIP)), KdsFailure::Unfit),
        (status("429 Too Many Requests"), KdsFailure::Limited),
    ] {
        let world = serving();
        world.put(LIST, page);
        let outcome = world.gather(report(CHIP), &none(), MILAN_NOW_MS).await;
        assert_eq!(outcome, missing(Piece::RevocationList, expected));
        assert_eq!(world.status.kept_collateral(), None, "half is not kept");
        // The certificate is remembered: only the list is asked again.
        world.asked();
        world.put(LIST, ok(&read(MILAN_LIST)));
        world.pass(60 * SECOND_US);
        let outcome = world.gather(report(CHIP), &none(), MILAN_NOW_MS).await;
        assert!(outcome.is_ok());
        assert_eq!(world.asked(), [LIST]);
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_the_host_does_to_the_connection_is_named() {
    for (reply, expected) in [
        (EgressReply::UnknownName, KdsFailure::NotAllowed),
        (EgressReply::Refused, KdsFailure::Unreachable),
        (EgressReply::TimedOut, KdsFailure::TimedOut),
    ] {
        let world = serving();
        world.set_egress(reply);
        let outcome = world.gather(report(CHIP), &none(), MILAN_NOW_MS).await;
        assert_eq!(outcome, missing(Piece::Vcek, expected));
    }
    for (name, is_known) in [("id.example", true), (KDS_HOST, false)] {
        let world = serving();
        world.set_server(name, is_known);
        let outcome = world.gather(report(CHIP), &none(), MILAN_NOW_MS).await;
        assert_eq!(outcome, missing(Piece::Vcek, KdsFailure::Tls));
        assert_eq!(world.asked(), [""; 0], "nothing was said to it");
    }
}

#[tokio::test]
async fn any_change_of_a_byte_from_the_service_is_refused_or_harmless() {
    let mut random = Seeded::new(11);
    let world = serving();
    for _ in 0..200 {
        let mut bytes = [vcek(CHIP), read(MILAN_LIST)];
        let which = usize::try_from(random.below(2)).unwrap();
        let size = u64::try_from(bytes[which].len()).unwrap();
        let at = usize::try_from(random.below(size)).unwrap();
        bytes[which][at] ^= 1 << random.below(8);
        let [leaf, list] = bytes;
        world.put(&target(CHIP), ok(&leaf));
        world.put(LIST, ok(&list));
        world.pass(HOUR_US);
        *world.collateral.kept.lock().unwrap() = Kept::default();
        // What comes of it is checked by `World::gather`.
        let _outcome = world.gather(report(CHIP), &none(), MILAN_NOW_MS).await;
    }
    assert!(world.asked().len() >= 200);
}

#[tokio::test]
async fn a_certificate_below_no_known_intermediate_makes_the_chain_be_asked() {
    let root = pki("genoa-ark");
    let world = World::with_rules(rules_of_root(&root));
    let signed = signed_report([3; 64]);
    let subject = Subject::of(&signed).unwrap();
    let leaf = KdsRequest::Vcek(subject.chip().unwrap()).target();
    let chain = "/vcek/v1/Genoa/cert_chain";
    let mut pem = Pool::default();
    pem.add_certificate(&pki("genoa-ask"));
    pem.add_certificate(&root);
    world.put(&leaf, ok(&pki("genoa-vcek")));
    world.put(chain, ok(pem.write().as_bytes()));
    world.put("/vcek/v1/Genoa/crl", ok(&pki("genoa-crl")));
    let gathered = world
        .collateral
        .gather(
            signed.clone(),
            &none(),
            Sources::HostAndService,
            MILAN_NOW_MS,
        )
        .await;
    let gathered = gathered.unwrap();
    assert_eq!(world.asked(), [&leaf, chain, "/vcek/v1/Genoa/crl"]);
    assert_eq!(gathered.ask, pki("genoa-ask"));
    assert_eq!(gathered.ark, root);
    // A chain that is none of ours, and then a certificate that is no better: each is asked once.
    let stranger = World::with_rules(rules_of_root(&root));
    stranger.put(&leaf, ok(&pki("genoa-vcek")));
    let mut pem = Pool::default();
    pem.add_certificate(&read("roots/milan/ask.der"));
    pem.add_certificate(&read("roots/milan/ark.der"));
    stranger.put(chain, ok(pem.write().as_bytes()));
    let outcome = stranger
        .collateral
        .gather(signed, &none(), Sources::HostAndService, MILAN_NOW_MS)
        .await;
    assert_eq!(outcome, missing(Piece::Chain, KdsFailure::Unfit));
    assert_eq!(stranger.asked(), [&leaf, chain]);
    assert_eq!(stranger.status.kept_collateral(), None);
}

#[tokio::test]
async fn a_list_past_half_of_its_life_is_renewed_in_time_and_shown_until_it_ends() {
    let world = serving();
    world
        .gather(report(CHIP), &none(), MILAN_NOW_MS)
        .await
        .unwrap();
    world.asked();
    // The service is away, then has nothing newer: the list in force goes on, and nobody is asked for hours.
    world.put(LIST, status("503 Service Unavailable"));
    for (pause_us, asked) in [(0, 0), (6 * HOUR_US, 1), (HOUR_US, 0), (6 * HOUR_US, 1)] {
        world.pass(pause_us);
        let evidence = world.gather(report(CHIP), &none(), MILAN_DUE_MS).await;
        assert_eq!(evidence.unwrap().crl, read(MILAN_LIST));
        assert_eq!(world.asked().len(), asked);
    }
    let said = || *world.collateral.said.lock().unwrap();
    assert_eq!(said(), Some(KdsFailure::Status));
    world.put(LIST, ok(b"garbage"));
    world.pass(6 * HOUR_US);
    let evidence = world.gather(report(CHIP), &none(), MILAN_DUE_MS).await;
    assert_eq!(evidence.unwrap().crl, read(MILAN_LIST));
    assert_eq!(world.asked(), [LIST]);
    assert_eq!(said(), Some(KdsFailure::Unfit));
    world.put(LIST, ok(&read(MILAN_LIST)));
    world.pass(6 * HOUR_US);
    assert!(
        world
            .gather(report(CHIP), &none(), MILAN_DUE_MS)
            .await
            .is_ok()
    );
    assert_eq!(world.asked(), [LIST]);
    assert_eq!(said(), None);
    // What has ended is not shown any more, by nobody.
    world.pass(6 * HOUR_US);
    let over = world.gather(report(CHIP), &none(), MILAN_OVER_MS).await;
    assert_eq!(over, missing(Piece::RevocationList, KdsFailure::Unfit));
    let client = world
        .collateral
        .staple(report(CHIP), &none(), MILAN_OVER_MS);
    assert_eq!(client, missing(Piece::RevocationList, KdsFailure::NotAsked));
}

#[tokio::test]
async fn a_newer_list_takes_the_place_of_the_old_one() {
    const IN_2037_MS: u64 = 2_129_000_000_000;
    let world = World::with_rules(rules_of_root(&pki("genoa-ark")));
    let table = CertificateTable {
        vcek: Some(pki("genoa-vcek")),
        ask: Some(pki("genoa-ask")),
        ark: Some(pki("genoa-ark")),
        crl: Some(pki("genoa-crl")),
    };
    let newer = pki("spoiled-crl-not-yet-valid");
    world.put("/vcek/v1/Genoa/crl", ok(&newer));
    let signed = signed_report([3; 64]);
    let gathered = world
        .collateral
        .gather(signed.clone(), &table, Sources::HostAndService, IN_2037_MS)
        .await;
    assert_eq!(gathered.unwrap().crl, newer);
    let kept = Pool::read(&world.status.kept_collateral().unwrap()).unwrap();
    assert_eq!(kept.lists().collect::<Vec<_>>(), [newer.as_slice()]);
    // The table still has the old one.
    let gathered = world.collateral.staple(signed, &table, IN_2037_MS);
    assert_eq!(gathered.unwrap().crl, newer);
    assert_eq!(world.asked().len(), 1);
}

#[tokio::test]
async fn requests_are_limited_whatever_happens() {
    let world = World::new();
    world.set_egress(EgressReply::Refused);
    for _ in 0..kds::REQUESTS_MAX + 50 {
        world.pass(HOUR_US);
        let outcome = world.gather(report(CHIP), &none(), MILAN_NOW_MS).await;
        outcome.unwrap_err();
    }
    assert_eq!(world.connections(), 4096);
    let outcome = world.gather(report(CHIP), &none(), MILAN_NOW_MS).await;
    assert_eq!(outcome, missing(Piece::Vcek, KdsFailure::Spent));
}

#[tokio::test]
async fn a_processor_that_gives_no_report_is_told_apart() {
    let world = World::new();
    let outcome = world.gather(vec![0; 1184], &none(), MILAN_NOW_MS).await;
    assert_eq!(outcome, Err(CollateralError::Report));
    let outcome = world.collateral.staple(Vec::new(), &none(), MILAN_NOW_MS);
    assert_eq!(outcome, Err(CollateralError::Report));
}
