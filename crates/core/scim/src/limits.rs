//! What one request may cost. Each limit bounds memory or time that a caller could otherwise choose.

use chancery_json::Limits;

/// The longest body, in bytes.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// The deepest nesting of a body. The deepest legal one (PATCH, value, extension, manager) is 6.
pub const BODY_DEPTH_MAX: usize = 16;
/// The largest number of JSON values in a body: about what a PATCH that fills
/// [`BODY_BYTES_MAX`] with members needs.
pub const BODY_VALUES_MAX: usize = 100_000;
/// The limits of every JSON body together.
pub const BODY: Limits = Limits {
    bytes_max: BODY_BYTES_MAX,
    depth_max: BODY_DEPTH_MAX,
    values_max: BODY_VALUES_MAX,
};

/// The longest filter or PATCH path, in bytes.
pub const FILTER_BYTES_MAX: usize = 4096;
/// The most comparisons in one filter: a scan evaluates each for every resource.
pub const FILTER_TERMS_MAX: usize = 32;
/// The deepest nesting of parentheses and brackets in a filter: the parser recurses this far.
pub const FILTER_DEPTH_MAX: usize = 16;

/// The most operations in one PATCH.
pub const OPERATIONS_MAX: usize = 1000;
/// The most members that one operation or body may list.
pub const MEMBERS_PER_OPERATION_MAX: usize = 25_000;
/// The most values of one multi-valued attribute, members apart: PATCH compares them pairwise.
pub const VALUES_MAX: usize = 100;

/// The largest document, in bytes before escaping (which at most doubles it), so that every stored
/// one can be read back under [`BODY`].
pub const DOCUMENT_BYTES_MAX: usize = 1 << 18;
/// The longest userName or email, in bytes (RFC 5321: 64 + 1 + 255).
pub const NAME_BYTES_MAX: usize = 320;
/// The longest externalId or member id, in bytes.
pub const ID_BYTES_MAX: usize = 256;
/// The longest text, in bytes.
pub const TEXT_BYTES_MAX: usize = 4096;
/// The longest reference or binary value, in bytes: photos come as data URIs.
pub const REFERENCE_BYTES_MAX: usize = 65_536;

/// The most resources on a page: advertised as `filter.maxResults`.
pub const PAGE_SIZE_MAX: u64 = 200;
/// The resources on a page if the caller names no count.
pub const PAGE_SIZE_DEFAULT: u64 = 100;
/// How long a cursor leads on, in seconds: advertised as `pagination.cursorTimeout`.
pub const CURSOR_LIFE_S: u64 = 3600;
/// The longest cursor that is looked at, in bytes.
pub const CURSOR_BYTES_MAX: usize = 256;
/// The most operations in one Bulk request: advertised as `bulk.maxOperations`.
pub const BULK_OPERATIONS_MAX: usize = 1000;
/// The longest `bulkId`, in bytes.
pub const BULK_ID_BYTES_MAX: usize = 128;
/// The longest query string, in bytes.
pub const QUERY_BYTES_MAX: usize = 16_384;
/// The most attribute names in one projection.
pub const PROJECTION_NAMES_MAX: usize = 64;
/// The most entity tags in one `If-Match` or `If-None-Match`.
pub const ENTITY_TAGS_MAX: usize = 32;
