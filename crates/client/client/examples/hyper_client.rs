//! Asks an attested service for a path through hyper's pooled client: `hyper_client DEPLOYMENT_FILE PATH`.
//!
//! Every connection that the pool opens is appraised before the pool gets it.

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

use bytes::Bytes;
use chancery_client::{AttestedConnector, Deployment};
use chancery_verify::Amd;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // In words: the checklist that a refusal holds fills pages.
            let mut words = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                words = format!("{words}: {cause}");
                source = cause.source();
            }
            // Nobody is left to tell if this fails.
            drop(writeln!(std::io::stderr(), "{words}"));
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(file), Some(path)) = (arguments.next(), arguments.next()) else {
        return Err("usage: hyper_client DEPLOYMENT_FILE PATH".into());
    };
    let deployment = Deployment::from_json(&std::fs::read(file)?)?;
    let uri = format!("{}{path}", deployment.base()).parse()?;
    let connector = AttestedConnector::new(Amd, deployment);
    let client = Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(connector);
    let response = client.get(uri).await?;
    let body = response.into_body().collect().await?.to_bytes();
    std::io::stdout().write_all(&body)?;
    Ok(())
}
