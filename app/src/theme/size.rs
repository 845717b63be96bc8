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
