//! egui's triangles as pixels, on the processor: enough for a chart.

use std::collections::HashMap;

use egui::epaint::{ClippedPrimitive, ImageData, Mesh, Primitive, Vertex};
use egui::{TextureId, TexturesDelta};

/// A texture: width, and RGBA with premultiplied alpha.
struct Texture {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 4]>,
}

/// A picture that is being drawn.
pub struct Raster {
    /// In pixels.
    pub width: usize,
    /// In pixels.
    pub height: usize,
    /// RGBA, row by row.
    pub pixels: Vec<u8>,
    textures: HashMap<TextureId, Texture>,
}

impl Raster {
    /// Nothing but the ground, which is opaque.
    pub fn new(width: usize, height: usize, ground: [u8; 4]) -> Self {
        Self {
            width,
            height,
            pixels: ground.repeat(width * height),
            textures: HashMap::new(),
        }
    }

    /// Takes textures that are new, or parts of them.
    pub fn take_textures(&mut self, delta: &TexturesDelta) {
        let each =
            { delta.set.iter() }.flat_map(|(id, deltas)| deltas.iter().map(move |one| (id, one)));
        for (id, delta) in each {
            let ImageData::Color(image) = &delta.image;
            let [width, height] = image.size;
            let pixels = || image.pixels.iter().map(|pixel| pixel.to_array());
            match (delta.pos, self.textures.get_mut(id)) {
                (Some([left, top]), Some(texture)) => {
                    for (place, pixel) in pixels().enumerate() {
                        let (x, y) = (left + place % width, top + place / width);
                        if let Some(there) = texture.pixels.get_mut(y * texture.width + x) {
                            *there = pixel;
                        }
                    }
                }
                _ => {
                    let texture = Texture {
                        width,
                        height,
                        pixels: pixels().collect(),
                    };
                    self.textures.insert(*id, texture);
                }
            }
        }
    }

    /// Paints what was tessellated.
    pub fn paint(&mut self, primitives: &[ClippedPrimitive], pixels_per_point: f32) {
        for ClippedPrimitive {
            clip_rect,
            primitive,
        } in primitives
        {
            let Primitive::Mesh(mesh) = primitive else {
                continue;
            };
            let edge =
                |at: f32, most: usize| (at * pixels_per_point).round().clamp(0.0, most as f32);
            let clip = [
                edge(clip_rect.min.x, self.width) as usize,
                edge(clip_rect.min.y, self.height) as usize,
                edge(clip_rect.max.x, self.width) as usize,
                edge(clip_rect.max.y, self.height) as usize,
            ];
            self.paint_mesh(mesh, clip, pixels_per_point);
        }
    }

    fn paint_mesh(&mut self, mesh: &Mesh, clip: [usize; 4], scale: f32) {
        let Some(texture) = self.textures.remove(&mesh.texture_id) else {
            return;
        };
        for corners in mesh.indices.chunks_exact(3) {
            let corner = |place: usize| mesh.vertices.get(corners[place] as usize);
            if let (Some(a), Some(b), Some(c)) = (corner(0), corner(1), corner(2)) {
                self.paint_triangle([a, b, c], &texture, clip, scale);
            }
        }
        self.textures.insert(mesh.texture_id, texture);
    }

    fn paint_triangle(
        &mut self,
        [a, b, c]: [&Vertex; 3],
        texture: &Texture,
        [left, top, right, bottom]: [usize; 4],
        scale: f32,
    ) {
        let at = |vertex: &Vertex| (vertex.pos.x * scale, vertex.pos.y * scale);
        let (pa, mut pb, mut pc) = (at(a), at(b), at(c));
        let (mut b, mut c) = (b, c);
        let mut area = cross(pa, pb, pc);
        if area < 0.0 {
            (pb, pc, b, c) = (pc, pb, c, b);
            area = -area;
        }
        if area <= f32::EPSILON {
            return;
        }
        let least =
            |one: f32, two: f32, three: f32| one.min(two).min(three).floor().max(0.0) as usize;
        let most =
            |one: f32, two: f32, three: f32| one.max(two).max(three).ceil().max(0.0) as usize;
        let rows = least(pa.1, pb.1, pc.1).max(top)..most(pa.1, pb.1, pc.1).min(bottom);
        let columns = least(pa.0, pb.0, pc.0).max(left)..most(pa.0, pb.0, pc.0).min(right);
        for y in rows {
            for x in columns.clone() {
                let p = (x as f32 + 0.5, y as f32 + 0.5);
                let weights = [cross(pb, pc, p), cross(pc, pa, p), cross(pa, pb, p)];
                let edges = [(pb, pc), (pc, pa), (pa, pb)];
                // A pixel on the edge of two triangles belongs to one of them.
                let is_inside = { weights.iter().zip(edges) }.all(|(weight, (from, to))| {
                    *weight > 0.0 || (*weight == 0.0 && is_top_or_left(from, to))
                });
                if is_inside {
                    let [wa, wb, wc] = weights.map(|weight| weight / area);
                    let mix = |of: &dyn Fn(&Vertex) -> f32| wa * of(a) + wb * of(b) + wc * of(c);
                    let texel = texture.at(mix(&|v| v.uv.x), mix(&|v| v.uv.y));
                    let color: [f32; 4] = std::array::from_fn(|channel| {
                        let own = mix(&|v| f32::from(v.color.to_array()[channel]));
                        own * f32::from(texel[channel]) / 255.0
                    });
                    self.blend(x, y, color);
                }
            }
        }
    }

    fn blend(&mut self, x: usize, y: usize, color: [f32; 4]) {
        let place = 4 * (y * self.width + x);
        let Some(there) = self.pixels.get_mut(place..place + 4) else {
            return;
        };
        let rest = 1.0 - color[3] / 255.0;
        for (below, above) in there.iter_mut().zip(color) {
            *below = (above + f32::from(*below) * rest).round().clamp(0.0, 255.0) as u8;
        }
    }
}

impl Texture {
    /// The nearest pixel: letters are laid on whole ones.
    fn at(&self, u: f32, v: f32) -> [u8; 4] {
        let place = |at: f32, size: usize| {
            let at = (at * size as f32).floor().max(0.0) as usize;
            at.min(size.saturating_sub(1))
        };
        let (x, y) = (place(u, self.width), place(v, self.height));
        let pixel = self.pixels.get(y * self.width + x);
        pixel.copied().unwrap_or_default()
    }
}

/// Twice the area of a triangle; more than nothing where its corners go clockwise, as the eye sees it.
fn cross(a: (f32, f32), b: (f32, f32), c: (f32, f32)) -> f32 {
    (b.0 - a.0) * (c.1 - a.1) - (b.1 - a.1) * (c.0 - a.0)
}

fn is_top_or_left(from: (f32, f32), to: (f32, f32)) -> bool {
    let (x, y) = (to.0 - from.0, to.1 - from.1);
    (y == 0.0 && x > 0.0) || y < 0.0
}
