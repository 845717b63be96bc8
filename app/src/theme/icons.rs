//! Icons, as characters of the font Lucide. `assets/fonts/make.py` keeps those that are named here.

/// The Fine-tune page.
pub const FINE_TUNE: &str = "\u{e29a}";
/// The Runs page, a curve.
pub const RUNS: &str = "\u{e2a5}";
/// The Chat page.
pub const CHAT: &str = "\u{e117}";
/// The Settings page.
pub const SETTINGS: &str = "\u{e154}";
/// A device.
pub const DEVICE: &str = "\u{e0a9}";
/// A model.
pub const MODEL: &str = "\u{e061}";
/// A dataset.
pub const DATASET: &str = "\u{e0ad}";
/// A method.
pub const METHOD: &str = "\u{e529}";
/// Memory.
pub const MEMORY: &str = "\u{e445}";
/// Go on.
pub const PLAY: &str = "\u{e13c}";
/// Pause.
pub const PAUSE: &str = "\u{e12e}";
/// Stop.
pub const STOP: &str = "\u{e167}";
/// Do it again.
pub const AGAIN: &str = "\u{e148}";
/// Move to the bin.
pub const DELETE: &str = "\u{e18e}";
/// Change the name.
pub const RENAME: &str = "\u{e1f9}";
/// A folder.
pub const FOLDER: &str = "\u{e0d7}";
/// Choose or show a folder.
pub const FOLDER_OPEN: &str = "\u{e247}";
/// A file.
pub const FILE: &str = "\u{e0c0}";
/// A file of text.
pub const TEXT_FILE: &str = "\u{e0cc}";
/// Drop files.
pub const DROP: &str = "\u{e19e}";
/// Add.
pub const ADD: &str = "\u{e13d}";
/// Close, remove.
pub const CLOSE: &str = "\u{e1b2}";
/// Chosen.
pub const CHECK: &str = "\u{e06c}";
/// Open below.
pub const DOWN: &str = "\u{e06d}";
/// Go into, unfold.
pub const RIGHT: &str = "\u{e06f}";
/// Close above.
pub const UP: &str = "\u{e070}";
/// Go back.
pub const LEFT: &str = "\u{e06e}";
/// An error.
pub const ALERT: &str = "\u{e077}";
/// A warning.
pub const WARNING: &str = "\u{e193}";
/// A remark.
pub const INFO: &str = "\u{e0f9}";
/// Done, it fits.
pub const DONE: &str = "\u{e226}";
/// Failed, it does not fit.
pub const FAILED: &str = "\u{e084}";
/// Paused.
pub const PAUSED: &str = "\u{e07f}";
/// Running.
pub const RUNNING: &str = "\u{e080}";
/// Copy.
pub const COPY: &str = "\u{e09e}";
/// Open elsewhere.
pub const OPEN: &str = "\u{e0b9}";
/// Export.
pub const EXPORT: &str = "\u{e155}";
/// Search.
pub const SEARCH: &str = "\u{e151}";
/// Look again.
pub const REFRESH: &str = "\u{e145}";
/// Light theme.
pub const LIGHT: &str = "\u{e178}";
/// Dark theme.
pub const DARK: &str = "\u{e11e}";
/// As the system has it.
pub const SYSTEM: &str = "\u{e11d}";
/// A fast way.
pub const FAST: &str = "\u{e1b4}";
/// Time.
pub const TIME: &str = "\u{e087}";
/// Show.
pub const SHOW: &str = "\u{e0ba}";
/// Hide.
pub const HIDE: &str = "\u{e0bb}";
/// The best.
pub const BEST: &str = "\u{e176}";
/// Differences.
pub const COMPARE: &str = "\u{e359}";
/// What is this.
pub const HELP: &str = "\u{e082}";
/// Rows and columns.
pub const TABLE: &str = "\u{e17d}";
/// Cut.
pub const CUT: &str = "\u{e14e}";
/// On disk.
pub const DISK: &str = "\u{e0ed}";
/// Back to the default.
pub const RESET: &str = "\u{e2a1}";
/// More.
pub const MORE: &str = "\u{e0b6}";
/// Tokens.
pub const TOKEN: &str = "\u{e0ef}";
/// Speed.
pub const SPEED: &str = "\u{e1bf}";
/// Earlier runs.
pub const HISTORY: &str = "\u{e1f5}";
/// Cannot be changed.
pub const LOCKED: &str = "\u{e10b}";
/// Send.
pub const SEND: &str = "\u{e04a}";
/// What a model thinks.
pub const REASONING: &str = "\u{e1c2}";
/// A list at the side.
pub const SIDE: &str = "\u{e12a}";
/// Begin a conversation.
pub const WRITE: &str = "\u{e172}";
/// How replies are drawn.
pub const SAMPLER: &str = "\u{e162}";
/// Give memory back.
pub const FREE: &str = "\u{e733}";
/// A point in time.
pub const DOT: &str = "\u{e345}";
