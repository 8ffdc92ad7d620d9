//! What a serving runtime does from time to time without being asked.

use std::sync::Arc;
use std::time::Duration;

use crate::boot::Launch;
use crate::certificates::TlsKeys;
use crate::journal_line;
use crate::run::issue;
use crate::service::Service;

/// How often the node statement's age is looked at.
const RENEWAL_PERIOD: Duration = Duration::from_secs(30);
/// How often the runtime looks for what is due: signed plans, ended retention.
const TIMER_PERIOD: Duration = Duration::from_secs(1);

/// Has the sequencer look for what is due, while what it does can be committed.
pub(crate) async fn keep_time(service: Arc<Service>) {
    loop {
        tokio::time::sleep(TIMER_PERIOD).await;
        if service.may_write() {
            service.inbox.tick();
        }
    }
}

/// Keeps the node statement and the certificate fresh.
pub(crate) async fn renew(service: Arc<Service>, tls: TlsKeys, launch: Arc<Launch>) {
    let mut said = None;
    loop {
        tokio::time::sleep(RENEWAL_PERIOD).await;
        if !service.node.is_renewal_due(service.now_ms()) {
            continue;
        }
        if let Some((served, _)) = issue(&tls, &launch, service.now_ms()) {
            service.serve_certificate(served);
        }
        let spki = service.served_certificate().spki_sha256;
        // A failure may last for days: it is said once, until it is over or another.
        let failure = service.node.renew(&service, spki).await.err();
        let failure = failure.map(|error| error.to_string());
        if let Some(line) = &failure
            && said != failure
        {
            journal_line(line);
        }
        said = failure;
    }
}
