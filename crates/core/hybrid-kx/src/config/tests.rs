use super::*;
use core::time::Duration;
use rcgen::CertifiedKey;
use rustls::CipherSuite;
use rustls::ClientConnection;
use rustls::HandshakeKind;
use rustls::NamedGroup;
use rustls::ProtocolVersion;
use rustls::ServerConnection;
use rustls::SupportedCipherSuite;
use rustls::SupportedProtocolVersion;
use rustls::crypto::SupportedKxGroup;
use rustls_pki_types::ServerName;
use rustls_pki_types::UnixTime;

struct Authority {
    roots_pem: String,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// A self-signed P-256 certificate for `localhost` that is its own root.
fn authority() -> Authority {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    Authority {
        roots_pem: cert.pem(),
        chain: vec![cert.der().clone()],
        key: PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap(),
    }
}

impl Authority {
    fn server(&self) -> Arc<ServerConfig> {
        server_config(self.chain.clone(), self.key.clone_key()).unwrap()
    }

    /// A client that is not ours: any group, suite and version.
    fn foreign_client(
        &self,
        groups: &[&'static dyn SupportedKxGroup],
        suites: &[SupportedCipherSuite],
        version: &'static SupportedProtocolVersion,
    ) -> Arc<ClientConfig> {
        let foreign = CryptoProvider {
            cipher_suites: suites.to_vec(),
            kx_groups: groups.to_vec(),
            ..ring::default_provider()
        };
        Arc::new(
            ClientConfig::builder_with_provider(Arc::new(foreign))
                .with_protocol_versions(&[version])
                .unwrap()
                .with_root_certificates(root_store(&self.roots_pem).unwrap())
                .with_no_client_auth(),
        )
    }
}

/// Moves bytes between the two until neither has any, counting those of the server after its
/// handshake was done.
fn handshake(
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
) -> Result<(ClientConnection, ServerConnection), rustls::Error> {
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(client, name).unwrap();
    let mut server = ServerConnection::new(server).unwrap();
    while client.wants_write() || server.wants_write() {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut unread = wire.as_slice();
        while !unread.is_empty() {
            server.read_tls(&mut unread).unwrap();
            server.process_new_packets()?;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut unread = wire.as_slice();
        while !unread.is_empty() {
            client.read_tls(&mut unread).unwrap();
            client.process_new_packets()?;
        }
    }
    Ok((client, server))
}

#[test]
fn our_client_and_server_negotiate_the_hybrid_group_in_one_round_trip() {
    let authority = authority();
    let config = attested_client_config(&authority.roots_pem).unwrap();
    let (client, server) = handshake(config, authority.server()).unwrap();
    for kind in [client.handshake_kind(), server.handshake_kind()] {
        assert_eq!(kind, Some(HandshakeKind::Full));
    }
    let group = client.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, NamedGroup::X25519MLKEM768);
    let group = server.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, NamedGroup::X25519MLKEM768);
    assert_eq!(client.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(client.alpn_protocol(), Some(ALPN_HTTP_1_1));
    let suite = client.negotiated_cipher_suite().unwrap().suite();
    assert_eq!(suite, CipherSuite::TLS13_AES_256_GCM_SHA384);
}

#[test]
fn both_sides_export_the_same_keying_material() {
    let authority = authority();
    let config = attested_client_config(&authority.roots_pem).unwrap();
    let (client, server) = handshake(config, authority.server()).unwrap();
    let at_client = client
        .export_keying_material([0; 32], b"EXPORTER-test", Some(b"c"))
        .unwrap();
    let at_server = server
        .export_keying_material([0; 32], b"EXPORTER-test", Some(b"c"))
        .unwrap();
    assert_eq!(at_client, at_server);
}

#[test]
fn serves_tls_1_3_clients_that_know_only_classical_groups() {
    let authority = authority();
    for group in [kx_group::X25519, kx_group::SECP256R1] {
        let client = authority.foreign_client(&[group], cipher_suite_all(), &TLS13);
        let (client, _) = handshake(client, authority.server()).unwrap();
        assert_eq!(
            client.negotiated_key_exchange_group().unwrap().name(),
            group.name()
        );
    }
}

#[test]
fn our_client_falls_back_to_its_classical_share_without_a_retry() {
    let authority = authority();
    let classical = CryptoProvider {
        kx_groups: vec![kx_group::X25519],
        ..ring::default_provider()
    };
    let server = ServerConfig::builder_with_provider(Arc::new(classical))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(authority.chain.clone(), authority.key.clone_key())
        .unwrap();
    let config = attested_client_config(&authority.roots_pem).unwrap();
    let (client, _) = handshake(config, Arc::new(server)).unwrap();
    assert_eq!(client.handshake_kind(), Some(HandshakeKind::Full));
    assert_eq!(
        client.negotiated_key_exchange_group().unwrap().name(),
        NamedGroup::X25519
    );
}

#[test]
fn serves_tls_1_2_with_aes_gcm_and_refuses_everything_else() {
    let authority = authority();
    for suite in [
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ] {
        let client = authority.foreign_client(provider().kx_groups.as_slice(), &[suite], &TLS12);
        let (client, server) = handshake(client, authority.server()).unwrap();
        assert_eq!(server.protocol_version(), Some(ProtocolVersion::TLSv1_2));
        assert_eq!(
            client.negotiated_cipher_suite().unwrap().suite(),
            suite.suite()
        );
        // The hybrid group is for TLS 1.3 alone.
        assert_ne!(
            client.negotiated_key_exchange_group().unwrap().name(),
            NamedGroup::X25519MLKEM768
        );
    }
    let chacha = cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256;
    let client = authority.foreign_client(&[kx_group::X25519], &[chacha], &TLS12);
    assert!(handshake(client, authority.server()).is_err());
}

#[test]
fn names_no_cbc_and_no_rsa_suite() {
    for suite in &provider().cipher_suites {
        let name = format!("{:?}", suite.suite());
        assert!(
            !name.contains("CBC") && !name.contains("RSA_WITH"),
            "{name}"
        );
        assert!(name.contains("GCM") || name.contains("CHACHA20"), "{name}");
    }
}

#[test]
fn refuses_a_client_hello_that_offers_only_cbc() {
    // TLS 1.2, TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256 alone, group x25519, ecdsa_secp256r1_sha256.
    let mut hello = vec![0x03, 0x03];
    hello.extend_from_slice(&[0x11; 32]);
    hello.push(0);
    hello.extend_from_slice(&[0x00, 0x02, 0xC0, 0x23, 0x01, 0x00]);
    let extensions: &[u8] = &[
        0x00, 0x0A, 0x00, 0x04, 0x00, 0x02, 0x00, 0x1D, // supported_groups
        0x00, 0x0B, 0x00, 0x02, 0x01, 0x00, // ec_point_formats
        0x00, 0x0D, 0x00, 0x04, 0x00, 0x02, 0x04, 0x03, // signature_algorithms
    ];
    hello.extend_from_slice(&u16::try_from(extensions.len()).unwrap().to_be_bytes());
    hello.extend_from_slice(extensions);
    let accepted = |hello: &[u8]| {
        let mut message = vec![0x01];
        message.extend_from_slice(&u32::try_from(hello.len()).unwrap().to_be_bytes()[1..]);
        message.extend_from_slice(hello);
        let mut record = vec![0x16, 0x03, 0x01];
        record.extend_from_slice(&u16::try_from(message.len()).unwrap().to_be_bytes());
        record.extend_from_slice(&message);
        let mut server = ServerConnection::new(authority().server()).unwrap();
        server.read_tls(&mut record.as_slice()).unwrap();
        server.process_new_packets().map(|_| ())
    };
    assert_eq!(
        accepted(&hello),
        Err(rustls::Error::PeerIncompatible(
            rustls::PeerIncompatible::NoCipherSuitesInCommon
        ))
    );
    // The same hello with AES-128-GCM passes, so the suite alone was at fault.
    let mut with_gcm = hello;
    with_gcm[37..39].copy_from_slice(&[0xC0, 0x2B]);
    assert_eq!(accepted(&with_gcm), Ok(()));
}

#[test]
fn our_client_refuses_a_server_that_speaks_only_tls_1_2() {
    let authority = authority();
    let server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(authority.chain.clone(), authority.key.clone_key())
        .unwrap();
    let config = attested_client_config(&authority.roots_pem).unwrap();
    assert!(handshake(config, Arc::new(server)).is_err());
}

#[test]
fn our_client_refuses_a_certificate_of_another_root() {
    let config = attested_client_config(&authority().roots_pem).unwrap();
    assert!(matches!(
        handshake(config, authority().server()),
        Err(rustls::Error::InvalidCertificate(_))
    ));
}

#[test]
fn sends_no_ticket_so_that_a_resuming_client_makes_a_full_handshake_again() {
    let authority = authority();
    for version in [&TLS13, &TLS12] {
        // A foreign client with rustls's default session cache.
        let client = authority.foreign_client(&[kx_group::X25519], cipher_suite_all(), version);
        let server = authority.server();
        for _ in 0..2 {
            let (client, server) = handshake(client.clone(), server.clone()).unwrap();
            assert_eq!(client.handshake_kind(), Some(HandshakeKind::Full));
            assert_eq!(server.handshake_kind(), Some(HandshakeKind::Full));
            assert_eq!(client.tls13_tickets_received(), 0);
        }
    }
}

#[test]
fn our_client_keeps_no_ticket_even_of_a_server_that_sends_some() {
    let authority = authority();
    let mut server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(authority.chain.clone(), authority.key.clone_key())
        .unwrap();
    server.send_tls13_tickets = 2;
    server.max_early_data_size = 1024;
    let server = Arc::new(server);
    let client = attested_client_config(&authority.roots_pem).unwrap();
    for _ in 0..2 {
        let (client, _) = handshake(client.clone(), server.clone()).unwrap();
        assert_eq!(client.tls13_tickets_received(), 2);
        assert_eq!(client.handshake_kind(), Some(HandshakeKind::Full));
        assert!(!client.is_early_data_accepted());
    }
}

#[test]
fn refuses_unusable_roots() {
    let error = |pem: &str| attested_client_config(pem).unwrap_err();
    assert_eq!(error(""), ConfigError::NoRoot);
    assert_eq!(error("no pem at all"), ConfigError::NoRoot);
    let broken = "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
    assert_eq!(error(broken), ConfigError::RootsUnreadable);
    let not_a_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert_eq!(error(not_a_certificate), ConfigError::RootInvalid);
    let one = authority().roots_pem;
    assert!(attested_client_config(&one.repeat(ROOTS_MAX)).is_ok());
    assert_eq!(error(&one.repeat(ROOTS_MAX + 1)), ConfigError::TooManyRoots);
    assert_eq!(
        error(&"\n".repeat(ROOTS_PEM_SIZE_MAX + 1)),
        ConfigError::TooManyRoots
    );
}

#[test]
fn refuses_a_server_key_that_is_not_the_leafs() {
    assert!(matches!(
        server_config(authority().chain, authority().key),
        Err(ConfigError::Tls(_))
    ));
}

fn cipher_suite_all() -> &'static [SupportedCipherSuite] {
    ring::ALL_CIPHER_SUITES
}

#[test]
fn a_web_client_believes_the_given_roots_and_no_other() {
    let (known, unknown) = (authority(), authority());
    let root = |authority: &Authority| authority.chain[0].to_vec();
    let config = web_client_config(&[root(&known)]).unwrap();
    let (client, _) = handshake(Arc::clone(&config), known.server()).unwrap();
    assert_eq!(client.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert!(handshake(config, unknown.server()).is_err());
    // Without roots the public authorities count, below which neither certificate is.
    let public = web_client_config(&[]).unwrap();
    assert!(handshake(public, known.server()).is_err());
}

#[test]
fn a_web_client_refuses_what_is_no_root() {
    let root = authority().chain[0].to_vec();
    let too_many = vec![root.clone(); ROOTS_MAX + 1];
    assert_eq!(
        web_client_config(&too_many).unwrap_err(),
        ConfigError::TooManyRoots
    );
    let broken = vec![root[..root.len() - 1].to_vec()];
    assert_eq!(
        web_client_config(&broken).unwrap_err(),
        ConfigError::RootInvalid
    );
}

/// A clock that stands still, or that nobody has set.
#[derive(Debug)]
struct Standing(Option<u64>);

impl TimeProvider for Standing {
    fn current_time(&self) -> Option<UnixTime> {
        self.0
            .map(|now_s| UnixTime::since_unix_epoch(Duration::from_secs(now_s)))
    }
}

/// 2030, within the long life of the sample certificates.
const NOW_S: u64 = 1_900_000_000;

fn web_client_at(authority: &Authority, now_s: Option<u64>) -> Arc<ClientConfig> {
    let own = [authority.chain[0].to_vec()];
    web_client_config_at(&own, Arc::new(Standing(now_s))).unwrap()
}

#[test]
fn a_web_client_makes_full_handshakes_with_the_hybrid_group() {
    let authority = authority();
    let config = web_client_at(&authority, Some(NOW_S));
    for _ in 0..2 {
        let (client, _) = handshake(Arc::clone(&config), authority.server()).unwrap();
        assert_eq!(client.handshake_kind(), Some(HandshakeKind::Full));
        assert_eq!(client.alpn_protocol(), Some(ALPN_HTTP_1_1));
        let group = client.negotiated_key_exchange_group().unwrap().name();
        assert_eq!(group, NamedGroup::X25519MLKEM768);
    }
}

#[test]
fn a_web_client_reaches_servers_of_tls_1_2_also_with_rsa() {
    let authority = authority();
    let old = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(authority.chain.clone(), authority.key.clone_key());
    let config = web_client_at(&authority, Some(NOW_S));
    let (client, _) = handshake(config, Arc::new(old.unwrap())).unwrap();
    assert_eq!(client.protocol_version(), Some(ProtocolVersion::TLSv1_2));
    let suites: Vec<CipherSuite> = web_provider()
        .cipher_suites
        .iter()
        .map(SupportedCipherSuite::suite)
        .collect();
    let (ours, added) = suites.split_at(provider().cipher_suites.len());
    assert_eq!(ours.len(), 5);
    assert_eq!(
        added,
        [
            CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
        ]
    );
}

#[test]
fn a_web_client_judges_certificates_by_the_time_that_it_is_given() {
    let authority = authority();
    // The sample certificates are from 1975 to 4096.
    for now_s in [0, 70_000_000_000] {
        let refused = handshake(web_client_at(&authority, Some(now_s)), authority.server());
        assert!(
            matches!(refused.err(), Some(rustls::Error::InvalidCertificate(_))),
            "{now_s}"
        );
    }
    let timeless = handshake(web_client_at(&authority, None), authority.server());
    assert_eq!(timeless.err(), Some(rustls::Error::FailedToGetCurrentTime));
}
