//! Which backbone layers feed which side layers, and how wide everything is. The two presets are
//! two sets of numbers for one network.

use serde::{Deserialize, Serialize};
use stepladder_protocol::{Downsample, Inject};

use crate::{Error, Result};

/// Width of the `adapter` downsample's bottleneck (Quantized Side Tuning's r = 16).
pub const BOTTLENECK: usize = 16;
/// RoPE base inside the side network, whatever the backbone's.
pub const ROPE_THETA: f64 = 10_000.0;
/// Side layers of a Ladder, at most.
const LADDER_LAYERS: usize = 8;
/// Layers an xLadder adds on top, at most (the paper's delta).
pub(crate) const XLADDER_DELTA: usize = 4;

/// The preset of a side network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SideMethod {
    /// Fed by taps spread over the whole depth.
    #[default]
    Ladder,
    /// Twice as deep as its taps, fed by the top layers.
    Xladder,
}

/// The shape of a side network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Wiring {
    /// The preset it came from.
    pub method: SideMethod,
    /// Width of the backbone's hidden states.
    pub d_model: usize,
    /// Width of the side states.
    pub d_side: usize,
    /// Attention heads of a side block.
    pub heads: usize,
    /// Width of a side block's MLP.
    pub d_ff: usize,
    /// Backbone layers (1-based, strictly increasing) that feed the first side layers, in order.
    pub taps: Vec<usize>,
    /// Side layers without a tap, after the connected ones.
    pub free_layers: usize,
    /// How taps are downsampled.
    pub downsample: Downsample,
    /// How taps are injected.
    pub inject: Inject,
    /// Added to the mean square in every norm of the side network: the backbone's.
    pub norm_eps: f64,
}

/// What a user may choose; everything else follows from the backbone.
#[derive(Clone, Debug, Default)]
pub struct WiringRequest {
    /// Ladder or xLadder.
    pub method: SideMethod,
    /// Width of the side states.
    pub d_side: Option<usize>,
    /// `d_model / d_side`.
    pub reduction_factor: Option<usize>,
    /// Backbone layers that feed the side network.
    pub taps: Option<Vec<usize>>,
    /// How taps are downsampled.
    pub downsample: Downsample,
    /// How taps are injected.
    pub inject: Inject,
}

/// The backbone's part of a wiring.
#[derive(Clone, Copy, Debug)]
pub struct BackboneShape {
    /// Width of the hidden states.
    pub d_model: usize,
    /// Number of blocks.
    pub layers: usize,
    /// Added to the mean square in every norm.
    pub norm_eps: f64,
}

impl Wiring {
    /// Resolves a request for a backbone.
    ///
    /// # Errors
    /// When the request contradicts itself or the backbone.
    pub fn resolve(request: &WiringRequest, backbone: BackboneShape) -> Result<Self> {
        let d_side = width(request, backbone.d_model)?;
        let heads = heads(d_side).ok_or_else(|| {
            invalid(
                "d_side",
                format!("{d_side} does not split into heads of even width"),
                "use an even number, best a multiple of 64".to_owned(),
            )
        })?;
        let layers = backbone.layers;
        let taps = match &request.taps {
            Some(taps) => checked_taps(taps, layers)?,
            None => match request.method {
                SideMethod::Ladder => spread_taps(layers, layers.min(LADDER_LAYERS)),
                SideMethod::Xladder => top_taps(layers, layers.min(XLADDER_DELTA)),
            },
        };
        let free_layers = match request.method {
            SideMethod::Ladder => 0,
            SideMethod::Xladder => taps.len(),
        };
        Ok(Self {
            method: request.method,
            d_model: backbone.d_model,
            d_side,
            heads,
            // 8h/3 rounded up to a multiple of 32
            d_ff: (8 * d_side).div_ceil(96) * 32,
            taps,
            free_layers,
            downsample: request.downsample,
            inject: request.inject,
            norm_eps: backbone.norm_eps,
        })
    }

    /// Checks a wiring that came from a file.
    ///
    /// # Errors
    /// Says which number cannot be.
    pub fn check(&self, layers: usize) -> Result<(), String> {
        for (field, value) in [
            ("d_model", self.d_model),
            ("d_side", self.d_side),
            ("heads", self.heads),
            ("d_ff", self.d_ff),
            ("taps", self.taps.len()),
        ] {
            if value == 0 || value > 1 << 20 {
                return Err(format!("wiring.{field} is {value}"));
            }
        }
        if self.free_layers > 1 << 12 {
            return Err(format!("wiring.free_layers is {}", self.free_layers));
        }
        if !self.d_side.is_multiple_of(self.heads) || !self.head_dim().is_multiple_of(2) {
            return Err(format!(
                "wiring.heads is {} for d_side {}",
                self.heads, self.d_side
            ));
        }
        if !(self.norm_eps.is_finite() && self.norm_eps >= 0.0) {
            return Err(format!("wiring.norm_eps is {}", self.norm_eps));
        }
        checked_taps(&self.taps, layers)
            .map(|_| ())
            .map_err(|error| format!("wiring.{error}"))
    }

    /// Side layers, connected and free.
    pub fn side_layers(&self) -> usize {
        self.taps.len() + self.free_layers
    }

    /// Width of one side head.
    pub fn head_dim(&self) -> usize {
        self.d_side / self.heads
    }
}

fn invalid(field: &'static str, problem: String, hint: String) -> Error {
    Error::ConfigInvalid {
        field,
        problem,
        hint,
    }
}

fn width(request: &WiringRequest, d_model: usize) -> Result<usize> {
    match (request.d_side, request.reduction_factor) {
        (Some(_), Some(_)) => Err(invalid(
            "d_side",
            "given together with reduction_factor".to_owned(),
            "give one of --d-side and --reduction-factor".to_owned(),
        )),
        (Some(0), None) => Err(invalid(
            "d_side",
            "is 0".to_owned(),
            "use at least 2".to_owned(),
        )),
        (Some(width), None) if width > d_model => Err(invalid(
            "d_side",
            format!("{width} is wider than the backbone ({d_model})"),
            format!("use at most {d_model}"),
        )),
        (Some(width), None) => Ok(width),
        (None, Some(factor)) if factor == 0 || !d_model.is_multiple_of(factor) => Err(invalid(
            "reduction_factor",
            format!("{factor} does not divide d_model ({d_model})"),
            "use a divisor of d_model, such as 4 or 8".to_owned(),
        )),
        (None, Some(factor)) => Ok(d_model / factor),
        (None, None) => Ok(match d_model {
            3072.. => 512,
            1024.. => 256,
            _ => (d_model / 4).next_multiple_of(32).max(32),
        }),
    }
}

/// About one head per 64 numbers: h/64 where that splits h into heads of even width, otherwise the
/// next smaller number that does (h = 224, the default at d_model 896, gets two heads of 112).
fn heads(d_side: usize) -> Option<usize> {
    let most = (d_side / 64).max(1);
    (1..=most)
        .rev()
        .find(|&heads| d_side.is_multiple_of(2 * heads))
}

/// `b_j = floor((2 j L + l) / (2 l))`, j = 1..l: evenly over the depth, the last at the top.
pub(crate) fn spread_taps(layers: usize, count: usize) -> Vec<usize> {
    (1..=count)
        .map(|j| (2 * j * layers + count) / (2 * count))
        .collect()
}

/// The top `count` layers.
pub(crate) fn top_taps(layers: usize, count: usize) -> Vec<usize> {
    (layers - count + 1..=layers).collect()
}

fn checked_taps(taps: &[usize], layers: usize) -> Result<Vec<usize>> {
    let fail = |problem: String| {
        invalid(
            "taps",
            problem,
            format!("list backbone layers from 1 to {layers} in increasing order, such as 2,4,6"),
        )
    };
    if taps.is_empty() {
        return Err(fail("no layers given".to_owned()));
    }
    if let Some(tap) = taps.iter().find(|&&tap| tap == 0 || tap > layers) {
        return Err(fail(format!(
            "layer {tap} does not exist in a backbone of {layers} layers"
        )));
    }
    if let Some(pair) = taps.windows(2).find(|pair| pair[0] >= pair[1]) {
        return Err(fail(format!("{} comes after {}", pair[1], pair[0])));
    }
    Ok(taps.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(request: &WiringRequest, d_model: usize, layers: usize) -> Result<Wiring> {
        Wiring::resolve(
            request,
            BackboneShape {
                d_model,
                layers,
                norm_eps: 1e-6,
            },
        )
    }

    #[test]
    fn a_ladder_spreads_its_taps_and_ends_at_the_top() {
        let wiring = resolve(&WiringRequest::default(), 3584, 28).unwrap();
        assert_eq!(wiring.taps, [4, 7, 11, 14, 18, 21, 25, 28]);
        assert_eq!(
            (wiring.side_layers(), wiring.d_side, wiring.heads),
            (8, 512, 8)
        );
        assert_eq!(wiring.d_ff, 1376);
        let shallow = resolve(&WiringRequest::default(), 64, 3).unwrap();
        assert_eq!(shallow.taps, [1, 2, 3]);
    }

    #[test]
    fn an_xladder_taps_the_top_and_adds_free_layers() {
        let request = WiringRequest {
            method: SideMethod::Xladder,
            ..Default::default()
        };
        let wiring = resolve(&request, 3584, 28).unwrap();
        assert_eq!(
            (wiring.taps.as_slice(), wiring.free_layers),
            ([25, 26, 27, 28].as_slice(), 4)
        );
        assert_eq!(resolve(&request, 64, 2).unwrap().side_layers(), 4);
    }

    #[test]
    fn widths_follow_the_backbone() {
        for (d_model, d_side) in [(64, 32), (192, 64), (896, 224), (1024, 256), (3072, 512)] {
            let wiring = resolve(&WiringRequest::default(), d_model, 8).unwrap();
            assert_eq!(wiring.d_side, d_side);
            assert_eq!((d_side % wiring.heads, wiring.head_dim() % 2), (0, 0));
        }
    }

    #[test]
    fn impossible_requests_name_their_field() {
        let both = WiringRequest {
            d_side: Some(64),
            reduction_factor: Some(2),
            ..Default::default()
        };
        let odd = WiringRequest {
            d_side: Some(33),
            ..Default::default()
        };
        let factor = WiringRequest {
            reduction_factor: Some(5),
            ..Default::default()
        };
        let order = WiringRequest {
            taps: Some(vec![3, 3]),
            ..Default::default()
        };
        let beyond = WiringRequest {
            taps: Some(vec![9]),
            ..Default::default()
        };
        for (request, message) in [
            (both, "d_side: given together with reduction_factor"),
            (odd, "d_side: 33 does not split into heads of even width"),
            (factor, "reduction_factor: 5 does not divide d_model (192)"),
            (order, "taps: 3 comes after 3"),
            (
                beyond,
                "taps: layer 9 does not exist in a backbone of 8 layers",
            ),
        ] {
            assert_eq!(resolve(&request, 192, 8).unwrap_err().to_string(), message);
        }
    }
}
