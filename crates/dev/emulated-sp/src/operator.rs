//! What an operator does to the platform from outside.

use chancery_emulated_sp::{
    EmulationError, PlatformFolder, PlatformLevel, PlatformState, ReportLayout, parse_tcb,
};
use chancery_evidence::{PlatformInfo, TcbComponents};

use crate::command_line::{PlatformAct, State, Update};

/// Does it; the platform as it is then.
pub(crate) fn run(act: PlatformAct, now_ms: u64) -> Result<PlatformState, EmulationError> {
    match act {
        PlatformAct::Show(State { state }) => PlatformFolder::existing(&state)?.read(),
        PlatformAct::Update(update) => {
            PlatformFolder::existing(&update.state.state)?.change(|platform| {
                platform.update(level(&update, platform)?)?;
                if update.commit {
                    platform.commit();
                }
                Ok(())
            })
        }
        PlatformAct::Commit(state) => set(&state, PlatformState::commit),
        PlatformAct::SetReported { state, tcb } => PlatformFolder::existing(&state.state)?
            .change(|platform| platform.set_reported(read_tcb(&tcb, platform)?)),
        PlatformAct::SetCertificates {
            state,
            contents,
            form,
            leaf_trailer,
        } => set(&state, |platform| {
            if let Some(contents) = contents {
                platform.set_table_contents(contents);
            }
            if let Some(form) = form {
                platform.set_certificate_form(form);
            }
            if let Some(trailer) = leaf_trailer {
                platform.set_leaf_trailer(trailer);
            }
        }),
        PlatformAct::RevokeAsk(state) => {
            set(&state, |platform| platform.revoke_intermediate(now_ms))
        }
        PlatformAct::FailChannels(state) => set(&state, PlatformState::fail_channels),
        PlatformAct::Throttle(state) => set(&state, |platform| platform.set_throttled(true)),
        PlatformAct::Unthrottle(state) => set(&state, |platform| platform.set_throttled(false)),
    }
}

/// A change that cannot be refused.
fn set(
    state: &State,
    change: impl FnOnce(&mut PlatformState),
) -> Result<PlatformState, EmulationError> {
    PlatformFolder::existing(&state.state)?.change(|platform| {
        change(platform);
        Ok(())
    })
}

/// The level to install: the named one or the present one, with what is given besides.
fn level(update: &Update, platform: &PlatformState) -> Result<PlatformLevel, EmulationError> {
    let mut level = match update.level {
        Some((product, _)) if product != platform.product() => {
            return Err(EmulationError::OtherProduct);
        }
        Some((_, level)) => level,
        None => *platform.current(),
    };
    if let Some(tcb) = &update.tcb {
        level.tcb = read_tcb(tcb, platform)?;
    }
    if let Some(firmware) = update.firmware {
        level.firmware = firmware;
    }
    if let Some(number) = update.report_version {
        level.report_layout = ReportLayout::from_number(number)
            .ok_or_else(|| EmulationError::Argument("report versions are 3 and 5".to_owned()))?;
    }
    if let Some(vector) = update.mitigation_vector {
        level.mitigation_vector = vector;
    }
    if let Some(bits) = update.platform_info {
        level.platform_info = PlatformInfo::from_bits(bits);
    }
    Ok(level)
}

fn read_tcb(text: &str, platform: &PlatformState) -> Result<TcbComponents, EmulationError> {
    parse_tcb(text, platform.product().line()).ok_or_else(|| {
        EmulationError::Argument("the TCB has not the components of this product".to_owned())
    })
}
