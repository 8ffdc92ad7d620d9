//! The last steps of a boot: what the log must say of it before anything is served.

use std::sync::Arc;
use std::time::Duration;

use chancery_directory::EpochKind;
use chancery_engine::{Act, Answer};
use chancery_wire::Health;

use crate::journal_line;
use crate::node::NodeError;
use crate::run::QUORUM_PAUSE;
use crate::service::Service;
use crate::status::Status;

/// Pause between attempts to find collateral at boot: an operator may put a file there at any time.
const COLLATERAL_PAUSE: Duration = Duration::from_secs(2);

/// Logs the certificate key and the boot, then the node statement; each waits for its quorum.
pub(crate) async fn announce(
    service: &Arc<Service>,
    status: &Status,
    boot_nonce: [u8; 32],
    spki_sha256: [u8; 32],
) {
    log_leaf(service, EpochKind::Certificate, spki_sha256.to_vec()).await;
    let index = log_leaf(service, EpochKind::Boot, boot_nonce.to_vec()).await;
    service.node.set_boot_index(index);
    let mut said = None;
    while let Err(error) = service.node.renew(service, spki_sha256).await {
        let (health, pause) = match error {
            NodeError::Collateral(_) => (Health::WaitingForCollateral, COLLATERAL_PAUSE),
            _ => (Health::WaitingForWitnesses, QUORUM_PAUSE),
        };
        status.set(health);
        let line = error.to_string();
        if said.as_ref() != Some(&line) {
            journal_line(&line);
            said = Some(line);
        }
        tokio::time::sleep(pause).await;
    }
}

/// Has a leaf logged, however long the witnesses take: an act with an unknown outcome may be logged
/// already, so the leaf is only repeated when it was surely not taken in.
async fn log_leaf(service: &Arc<Service>, kind: EpochKind, detail: Vec<u8>) -> u64 {
    loop {
        match service
            .boot_act(Act::Leaf {
                kind,
                detail: detail.clone(),
            })
            .await
        {
            Some(Answer::Leaf { index }) => return index,
            Some(_) | None => tokio::time::sleep(QUORUM_PAUSE).await,
        }
    }
}
