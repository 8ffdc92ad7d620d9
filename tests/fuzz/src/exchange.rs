//! What travels between runtime and client, and what a client pins.

use chancery_session::ATTEST_REQUEST_SIZE_MAX;
use chancery_session::ATTEST_RESPONSE_SIZE_MAX;
use chancery_session::AttestRequest;
use chancery_session::AttestResponse;
use chancery_session::Deployment;
use chancery_verify::Evidence;

use crate::accepted;

/// A body that is read is written and read again as the same value; evidence in its own encoding comes back as the same bytes.
pub fn attest(bytes: &[u8]) -> bool {
    let request = accepted(AttestRequest::from_json(bytes), |request| {
        assert!(bytes.len() <= ATTEST_REQUEST_SIZE_MAX);
        assert_eq!(AttestRequest::from_json(&request.to_json()), Ok(request));
    });
    let response = accepted(AttestResponse::from_json(bytes), |response| {
        assert!(bytes.len() <= ATTEST_RESPONSE_SIZE_MAX);
        let text = response.to_json();
        let again = text.as_deref().map(AttestResponse::from_json);
        assert_eq!(again, Ok(Ok(response)), "another response");
    });
    let evidence = accepted(Evidence::decode(bytes), |evidence| {
        assert_eq!(evidence.encode().as_deref(), Ok(bytes), "another encoding");
    });
    let meanings = [request, response, evidence];
    let meanings = meanings.into_iter().filter(|accepted| *accepted).count();
    assert!(meanings <= 1, "one text, two meanings");
    meanings == 1
}

/// A file that is read is written and read again, by the same bytes from then on.
pub fn deployment(bytes: &[u8]) -> bool {
    accepted(Deployment::from_json(bytes), |deployment| {
        let text = deployment.to_json();
        let again = Deployment::from_json(&text).map(|deployment| deployment.to_json());
        assert_eq!(again.as_ref(), Ok(&text), "another deployment");
        let keys = deployment.release_keys().len();
        assert!((1..=keys).contains(&deployment.release_threshold()));
        assert!(deployment.base().starts_with("https://"));
    })
}
