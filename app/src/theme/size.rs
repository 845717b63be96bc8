//! Sizes and roundings of single things that several places agree on, in points.

/// Height of the one button of a page.
pub const PRIMARY_HEIGHT: f32 = 40.0;
/// Height of an entry of the rail.
pub const RAIL_ENTRY_HEIGHT: f32 = 36.0;
/// Between icon and name of such an entry.
pub const RAIL_GAP: f32 = 10.0;
/// A mark at an entry: something goes on there.
pub const MARK_RADIUS: f32 = 4.0;
/// From such a mark's middle to the end of the entry.
pub const MARK_INSET: f32 = 16.0;
/// Height of a word in a pill.
pub const PILL_HEIGHT: f32 = 18.0;
/// Rounding of a pill.
pub const PILL_RADIUS: u8 = 9;
/// Rounding of the device chip, half its height.
pub const CHIP_RADIUS: u8 = 15;
/// An icon where there is nothing else.
pub const EMPTY_ICON: f32 = 34.0;
/// An icon over the whole window.
pub const OVERLAY_ICON: f32 = 40.0;
/// Rounding of the place that files are dropped on.
pub const OVERLAY_RADIUS: u8 = 16;
/// The line around that place.
pub const OVERLAY_LINE: f32 = 2.0;
/// Height of a run in the list.
pub const RUN_ROW_HEIGHT: f32 = 78.0;
/// From the border of such a row to what stands in it.
pub const RUN_ROW_MARGIN: [f32; 2] = [10.0, 9.0];
/// From line to line in it.
pub const RUN_ROW_LINE: f32 = 21.0;
/// The box to tick at its left.
pub const RUN_TICK: f32 = 24.0;
/// Room for its curve.
pub const SPARKLINE_WIDTH: f32 = 64.0;
/// From the margin of a text to what its lists hold.
pub const LIST_INDENT: f32 = 22.0;
/// The line beside what is quoted or thought.
pub const QUOTE_LINE: f32 = 2.0;
/// The least width of a column of a table in a text.
pub const TABLE_LEAST: f32 = 40.0;
/// Width of the list of conversations.
pub const CONVERSATIONS_WIDTH: f32 = 212.0;
/// Width of the drawer with sampler and instructions.
pub const DRAWER_WIDTH: f32 = 268.0;
/// A conversation between both of them is no narrower.
pub const MIDDLE_LEAST: f32 = 420.0;
/// Height of a comparison in the list.
pub const COMPARISON_HEIGHT: f32 = 64.0;
/// Height of a conversation in the list.
pub const CONVERSATION_HEIGHT: f32 = 46.0;
/// A line of conversation is no wider, however wide the window is.
pub const READING_WIDTH: f32 = 800.0;
/// Replies beside each other are no narrower; what has no room is scrolled to.
pub const REPLY_LEAST: f32 = 240.0;
/// A question's part of the width.
pub const QUESTION_SHARE: f32 = 0.8;
/// What is typed is scrolled where it is taller.
pub const DRAFT_MOST: f32 = 132.0;
/// Width of the menu of models on the Chat page.
pub const CHAT_MODEL_WIDTH: f32 = 250.0;
/// Width of a variant's name.
pub const VARIANT_MOST: f32 = 168.0;
/// Width of the bar of the context.
pub const CONTEXT_BAR: f32 = 72.0;
