//! The first account: made at `/setup` with a one-time code that only who can read the log knows.

use std::sync::{Arc, Mutex};

use super::token_text::SetupCode;

/// The code of this start, until the first account exists. It lives in memory only: a restart prints a new one.
#[derive(Clone, Default)]
pub struct Setup {
    pub code: Arc<Mutex<Option<SetupCode>>>,
}
