//! bench
use crate::args::BenchArgs;
use crate::console::Console;
use crate::error::DevError;
pub(crate) fn run(_args: &BenchArgs, _console: &Console) -> Result<(), DevError> {
    Ok(())
}
