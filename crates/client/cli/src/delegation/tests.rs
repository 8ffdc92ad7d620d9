use super::*;
use crate::Cli;
use crate::args::Command;
use crate::files::tests::Folder;
use chancery_authority::{
    Admin, AdminSet, DeploymentId, Domain, IdMapping, IdentityProvider, ReleaseRule, TenantSlug,
};
use clap::Parser as _;

fn genesis(folder: &Folder) -> VerifiedGenesis {
    let key = SigningKey::from_seed([1; 32]);
    let admin = Admin {
        name: "ann".to_owned(),
        key: key.public_key(),
    };
    let genesis = Genesis {
        deployment: DeploymentId::from_bytes([7; 32]),
        slug: TenantSlug::parse("demo").unwrap(),
        created_ms: 0,
        nonce: [1; 32],
        admins: AdminSet::new(vec![admin], 1).unwrap(),
        recovery_key: crate::create_recovery_key(&folder.path("recovery.key")).unwrap(),
        domains: [Domain::parse("demo.example").unwrap()].into(),
        idp: Some(IdentityProvider {
            issuer: "https://login.example".to_owned(),
            client_id: "chancery".to_owned(),
            mapping: IdMapping::SubToExternalId,
            tls_roots: Vec::new(),
        }),
        protected_groups: [].into(),
        protected_accounts: [].into(),
        release_rule: ReleaseRule::FollowDeployment,
        witness_policy_sha256: [2; 32],
    };
    Genesis::verify(&genesis.sign(&[&key]).unwrap()).unwrap()
}

fn new_args(line: &str) -> DelegationNewArgs {
    let line = format!("chancery delegation new --out d.json {line}");
    let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
    match cli.command {
        Command::Delegation(DelegationCommand::New(args)) => *args,
        other => panic!("{other:?}"),
    }
}

fn names(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_new_delegation_has_a_safe_brake_and_touches_all_that_is_not_protected() {
    let folder = Folder::new();
    let genesis = genesis(&folder);
    let delegation = drafted(&new_args(""), &genesis, 1).unwrap();
    let limits = delegation.limits;
    assert_eq!(
        (
            limits.window_s,
            limits.suspensions,
            limits.deletions,
            limits.grants,
            limits.emptied_groups
        ),
        (3600, 50, 50, 100_000, 5)
    );
    assert_eq!(delegation.managed_groups, ManagedGroups::All);
    assert_eq!(delegation.id_mapping, Some(IdMapping::SubToExternalId));
    assert_eq!(delegation.credential_life_max_s, 180 * DAY_S);
    assert_eq!(delegation.on_delete, OnDelete::Suspend);
    assert_eq!((delegation.mode, delegation.pilot), (Mode::Apply, None));
    assert!(!delegation.allow_user_names_without_domain);
}

#[test]
fn every_field_has_an_option() {
    let folder = Folder::new();
    let genesis = genesis(&folder);
    let args = new_args(
        "--scope users.read --domain demo.example --days 30 --window-s 60 --suspensions 1 --deletions 2 \
         --grants 3 --emptied-groups 4 --managed-group A --managed-group B --sensitive-group B \
         --protected-group C --protected-account root --credential-days 7 --erase-after-days 30 \
         --user-names-without-domain --pilot-user ann --pilot-group A --plan --no-idp-mapping",
    );
    let delegation = drafted(&args, &genesis, 9).unwrap();
    assert_eq!(delegation.serial, 9);
    assert_eq!(delegation.scopes.iter().count(), 1);
    assert_eq!(
        delegation.limits,
        BurstLimits {
            window_s: 60,
            suspensions: 1,
            deletions: 2,
            grants: 3,
            emptied_groups: 4
        }
    );
    assert_eq!(
        delegation.managed_groups,
        ManagedGroups::Listed(names(&["A", "B"]))
    );
    assert_eq!(delegation.sensitive_groups, names(&["B"]));
    assert_eq!(delegation.protected_groups, names(&["C"]));
    assert_eq!(delegation.protected_accounts, names(&["root"]));
    assert_eq!(delegation.credential_life_max_s, 7 * DAY_S);
    assert_eq!(delegation.on_delete, OnDelete::EraseAfterDays(30));
    assert!(delegation.allow_user_names_without_domain);
    assert_eq!(delegation.id_mapping, None);
    assert_eq!(delegation.mode, Mode::Plan);
    let pilot = delegation.pilot.clone().unwrap();
    assert_eq!(
        (pilot.users, pilot.groups),
        (names(&["ann"]), names(&["A"]))
    );
    Delegation::from_json(&delegation.to_payload()).unwrap();
}

#[test]
fn signs_the_one_encoding_whatever_the_editors_layout() {
    let folder = Folder::new();
    let delegation = drafted(&new_args(""), &genesis(&folder), 1).unwrap();
    let payload = delegation.to_payload();
    let laid_out = pretty(&payload);
    assert!(laid_out.lines().count() > 20);
    let key = SigningKey::from_seed([1; 32]);
    let (read, envelope) = sign_document(laid_out.as_bytes(), Path::new("d.json"), &[key]).unwrap();
    assert_eq!(read, delegation);
    assert_eq!(envelope.unverified_payload(), payload);
    // The hash is that of the encoding too, not of the layout.
    std::fs::write(folder.path("d.json"), &laid_out).unwrap();
    assert_eq!(read_delegation(&folder.path("d.json")).unwrap().1, payload);
}

#[test]
fn tells_a_mistake_in_the_edited_file_with_its_place_and_what_is_right() {
    let folder = Folder::new();
    let delegation = drafted(&new_args(""), &genesis(&folder), 1).unwrap();
    let broken =
        pretty(&delegation.to_payload()).replace("\"grants\": 100000", "\"grants\": \"all\"");
    let error = sign_document(broken.as_bytes(), Path::new("d.json"), &[]).unwrap_err();
    assert!(error.advice().unwrap().contains("correct the file"));
    assert_eq!(
        error.to_string(),
        "d.json is not valid: value is not an unsigned integer at /limits/grants; right would be a \
         whole number from 0 to 10000000"
    );
}

#[test]
fn refuses_an_envelope_of_something_else_or_in_another_encoding() {
    let folder = Folder::new();
    let key = SigningKey::from_seed([1; 32]);
    let mut payload = drafted(&new_args(""), &genesis(&folder), 1)
        .unwrap()
        .to_payload();
    let path = Path::new("d.dsse");
    let foreign = Envelope::sign("application/json", &payload, &[&key]).unwrap();
    assert!(matches!(
        sign_document(&foreign.to_json(), path, &[]),
        Err(CliError::DocumentInvalid { .. })
    ));
    payload.push(b'\n');
    let spaced = Envelope::sign(DELEGATION_PAYLOAD_TYPE, &payload, &[&key]).unwrap();
    assert!(matches!(
        sign_document(&spaced.to_json(), path, &[]),
        Err(CliError::Authority(chancery_authority::Error::NotCanonical))
    ));
}

#[test]
fn shows_every_member_to_a_program() {
    let folder = Folder::new();
    let delegation = drafted(&new_args("--plan --pilot-user ann"), &genesis(&folder), 1).unwrap();
    let payload = delegation.to_payload();
    let json = String::from_utf8(describe_json(&delegation, &payload).to_bytes()).unwrap();
    let members = String::from_utf8(payload).unwrap();
    assert!(
        json.contains(&format!("\"delegation\":{members}")),
        "{json}"
    );
    let words = sentences(&delegation);
    assert!(words.contains("pilot") && words.contains("until an admin signs the plan"));
}
