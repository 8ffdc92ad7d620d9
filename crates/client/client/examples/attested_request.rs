//! Asks an attested service for a path: `attested_request DEPLOYMENT_FILE PATH`.
//!
//! Nothing but the attestation request leaves this program before the runtime was appraised.

use std::error::Error;
use std::io::Write as _;

use chancery_client::{Connector, Deployment, Request};
use chancery_verify::Amd;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(path)) = (arguments.next(), arguments.next()) else {
        return Err("usage: attested_request DEPLOYMENT_FILE PATH".into());
    };
    let deployment = Deployment::from_json(&std::fs::read(file)?)?;
    let mut connection = Connector::new(Amd).connect(&deployment, None).await?;
    let response = connection.request(Request::get(&path)).await?;
    std::io::stdout().write_all(response.body())?;
    Ok(())
}
