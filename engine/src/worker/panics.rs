//! What a panicking job leaves behind: the message is in the unwinding payload, the place only in
//! the panic hook, which keeps it here for the thread that catches.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use stepladder_protocol::ErrorReport;

thread_local! {
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

static HOOK: Once = Once::new();

/// Runs `job`; a panic becomes a report.
pub fn catch<T>(job: impl FnOnce() -> T) -> Result<T, ErrorReport> {
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let place = panic.location().map(ToString::to_string);
            PLACE.with(|kept| *kept.borrow_mut() = place);
            before(panic);
        }));
    });
    // The job's values are dropped while unwinding and never looked at again.
    panic::catch_unwind(AssertUnwindSafe(job)).map_err(|payload| ErrorReport {
        code: "internal".to_owned(),
        message: format!("a defect in Stepladder: {}", message(payload.as_ref())),
        hint: "please report this; a run can go on from its last checkpoint with --resume"
            .to_owned(),
        details: PLACE.with(RefCell::take).map(|place| format!("at {place}")),
    })
}

fn message(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message")
}
