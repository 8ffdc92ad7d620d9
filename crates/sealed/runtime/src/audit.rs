//! The private parts of a tenant's log for those who may audit it, read back from the host's store.

use std::sync::Arc;

use chancery_authority::TenantId;
use chancery_directory::exhibit::Exhibit;
use chancery_engine::{AuditPage, ExhibitReader};
use chancery_wire::{RecordBody, StoreAnswer, StoreOperation, StreamId};
use hyper::StatusCode;
use hyper::header::{HeaderName, HeaderValue};

use crate::http::{Answer, problem, retry_later, with_body};
use crate::link::StoreLink;
use crate::service::Service;

/// The media type of a page of exhibits.
const MEDIA_TYPE: &str = "application/vnd.chancery.exhibits";
/// Names the record with which the next page begins.
const NEXT_RECORD: HeaderName = HeaderName::from_static("chancery-next-record");
/// Most bytes of records that one page is made of.
const PAGE_BYTES_MAX: u32 = 1024 * 1024;

/// Why there is no page.
enum Fault {
    /// The store cannot be read now.
    Store,
    /// The store's records are not the ones that were written.
    Records,
}

/// A page of exhibits from record `page.record` on.
pub(crate) async fn page(service: &Arc<Service>, tenant: TenantId, page: AuditPage) -> Answer {
    match exhibits(service, tenant, page).await {
        Ok((body, next)) => {
            let mut answer = with_body(StatusCode::OK, MEDIA_TYPE, body);
            if next < page.length
                && let Ok(next) = HeaderValue::from_str(&next.to_string())
            {
                answer.headers_mut().insert(NEXT_RECORD, next);
            }
            answer
        }
        Err(Fault::Store) => retry_later(problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "the store cannot be read now; try again later",
        )),
        Err(Fault::Records) => problem(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the store's records are not the ones that the runtime wrote",
        ),
    }
}

async fn exhibits(
    service: &Arc<Service>,
    tenant: TenantId,
    page: AuditPage,
) -> Result<(Vec<u8>, u64), Fault> {
    if page.record >= page.length {
        return Ok((Vec::new(), page.length));
    }
    let mut store = StoreLink::open(&service.transport)
        .await
        .map_err(|_gone| Fault::Store)?;
    // The record before is what the first one must follow.
    let before = match page.record.checked_sub(1) {
        Some(before) => Some(
            read(&mut store, page, before, 1)
                .await?
                .into_iter()
                .next()
                .ok_or(Fault::Records)?,
        ),
        None => None,
    };
    let records = read(&mut store, page, page.record, PAGE_BYTES_MAX).await?;
    let secrets = {
        let view = service.read();
        Arc::clone(&view.tenant(&tenant).ok_or(Fault::Records)?.secrets)
    };
    let mut reader = ExhibitReader::new(
        secrets,
        service.store_tag,
        page.stream,
        page.record,
        before.as_ref().map(|body| body.0.as_slice()),
    );
    let service = Arc::clone(service);
    // Opening sealed keysets takes a while; the other requests' threads are left alone.
    tokio::task::spawn_blocking(move || {
        let view = service.read();
        let registry = &view.tenant(&tenant).ok_or(Fault::Records)?.registry;
        let (mut all, mut next) = (Vec::new(), page.record);
        for record in records {
            if next == page.length {
                break;
            }
            all.extend(
                reader
                    .read(&record.0, &|handle| registry.is_erased_handle(handle))
                    .map_err(|_record| Fault::Records)?,
            );
            next = next.saturating_add(1);
        }
        if next == page.record {
            return Err(Fault::Records);
        }
        let body = Exhibit::encode_page(&all).map_err(|_encoding| Fault::Records)?;
        Ok((body, next))
    })
    .await
    .map_err(|_panic| Fault::Store)?
}

async fn read(
    store: &mut StoreLink,
    page: AuditPage,
    from: u64,
    bytes_max: u32,
) -> Result<Vec<RecordBody>, Fault> {
    let operation = StoreOperation::Read {
        stream: StreamId(page.stream),
        from,
        bytes_max,
    };
    match store.ask(operation).await {
        Ok(StoreAnswer::Records(records)) => Ok(records),
        Ok(_) | Err(_) => Err(Fault::Store),
    }
}
