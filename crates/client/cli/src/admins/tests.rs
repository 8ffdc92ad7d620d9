use super::*;
use crate::files::tests::Folder;
use chancery_authority::{DeploymentId, Domain, Genesis, ReleaseRule, TenantSlug, VerifiedGenesis};

fn signer(byte: u8) -> SigningKey {
    SigningKey::from_seed([byte; 32])
}

fn genesis(folder: &Folder) -> VerifiedGenesis {
    let admin = |name: &str, byte| Admin {
        name: name.to_owned(),
        key: signer(byte).public_key(),
    };
    let recovery = folder.path("recovery.key");
    let genesis = Genesis {
        deployment: DeploymentId::from_bytes([7; 32]),
        slug: TenantSlug::parse("demo").unwrap(),
        created_ms: 0,
        nonce: [1; 32],
        admins: AdminSet::new(vec![admin("ann", 1), admin("bob", 2)], 2).unwrap(),
        recovery_key: crate::create_recovery_key(&recovery).unwrap(),
        domains: [Domain::parse("demo.example").unwrap()].into(),
        idp: None,
        protected_groups: [].into(),
        protected_accounts: [].into(),
        release_rule: ReleaseRule::FollowDeployment,
        witness_policy_sha256: [2; 32],
    };
    let envelope = genesis.sign(&[&signer(1), &signer(2)]).unwrap();
    Genesis::verify(&envelope).unwrap()
}

#[test]
fn a_new_key_is_private_and_its_public_half_is_read_back_by_name() {
    let folder = Folder::new();
    let args = AdminsKeyArgs {
        out: folder.path("eve.key"),
    };
    let outcome = key(&args).unwrap();
    let signing = crate::read_signing_key(&folder.path("eve.key")).unwrap();
    let named = format!("eve={}", folder.path("eve.key.pub").display());
    let (name, public) = named_key(&named, "--add").unwrap();
    assert_eq!((name.as_str(), public.id()), ("eve", signing.id()));
    assert!(outcome.text.contains(&signing.id().to_hex()));
    assert!(matches!(key(&args), Err(CliError::KeyExists { .. })));
    let private = format!("eve={}", folder.path("eve.key").display());
    let refused = named_key(&private, "--add").unwrap_err();
    assert!(refused.to_string().contains(".pub"), "{refused}");
    assert!(matches!(
        named_key("eve", "--add"),
        Err(CliError::ValueInvalid {
            option: "--add",
            ..
        })
    ));
}

#[test]
fn a_change_is_proposed_signed_by_old_and_new_and_believed() {
    let folder = Folder::new();
    let authority = genesis(&folder).authority();
    let eve = ("eve".to_owned(), signer(3).public_key());
    let change = next(&authority, vec![eve], &["bob".to_owned()], None).unwrap();
    assert_eq!(change.serial, 1);
    assert_eq!(change.admins.threshold(), 2);
    assert!(told(&change).contains("2 of 2 must sign."));
    assert!(differences(&authority, &change).starts_with("New: eve. Gone: bob."));

    let laid_out = pretty(&change.to_payload());
    let path = Path::new("change.json");
    let (_, one) = sign_document(laid_out.as_bytes(), path, &[signer(1)]).unwrap();
    assert_eq!(one.unverified_payload(), change.to_payload());
    let (_, two) = sign_document(&one.to_json(), path, &[signer(2)]).unwrap();
    // The new admin's own signature is still missing.
    assert!(AdminChange::verify(&two, &authority).is_err());
    let (_, all) = sign_document(&two.to_json(), path, &[signer(3)]).unwrap();
    let verified = AdminChange::verify(&all, &authority).unwrap();
    assert_eq!(verified.authority().admins_serial(), 1);
    assert!(shown(verified.authority()).text.contains("since change 1"));
    assert!(shown(&authority).text.contains("admins of the genesis"));
}

#[test]
fn refuses_to_propose_what_the_rules_exclude() {
    let folder = Folder::new();
    let authority = genesis(&folder).authority();
    let nobody = next(&authority, Vec::new(), &["eve".to_owned()], None);
    assert!(matches!(
        nobody,
        Err(CliError::ValueInvalid {
            option: "--remove",
            ..
        })
    ));
    // One admin is left, and two would have to sign.
    let too_few = next(&authority, Vec::new(), &["bob".to_owned()], None);
    assert!(matches!(too_few, Err(CliError::Authority(_))));
    let twice = ("ann".to_owned(), signer(3).public_key());
    assert!(next(&authority, vec![twice], &[], None).is_err());
}

#[test]
fn refuses_to_sign_another_kind_of_document_or_another_encoding() {
    let folder = Folder::new();
    let authority = genesis(&folder).authority();
    let change = next(&authority, Vec::new(), &[], Some(1)).unwrap();
    let path = Path::new("change.json");
    let mut other = change.to_payload();
    let refused = sign_document(b"{\"version\":1}", path, &[signer(1)]).unwrap_err();
    assert!(refused.to_string().contains("/tenant"), "{refused}");
    let foreign = Envelope::sign("application/json", &other, &[&signer(1)]).unwrap();
    assert!(matches!(
        sign_document(&foreign.to_json(), path, &[signer(2)]),
        Err(CliError::DocumentInvalid { .. })
    ));
    other.push(b' ');
    let spaced = Envelope::sign(ADMINS_PAYLOAD_TYPE, &other, &[&signer(1)]).unwrap();
    assert!(matches!(
        sign_document(&spaced.to_json(), path, &[signer(2)]),
        Err(CliError::Authority(chancery_authority::Error::NotCanonical))
    ));
}
