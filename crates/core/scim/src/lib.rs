//! SCIM 2.0 (RFC 7643, RFC 7644): resources, filters, PATCH, errors, discovery.
//!
//! Zone: core.

#![forbid(unsafe_code)]
