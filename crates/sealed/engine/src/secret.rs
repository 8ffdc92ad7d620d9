//! Text that is delivered once and never printed.

use alloc::string::String;
use core::fmt;

/// Text that must not be printed.
#[derive(Clone)]
pub struct Secret(pub zeroize::Zeroizing<String>);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(redacted)")
    }
}
