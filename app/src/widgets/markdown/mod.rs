//! Text of a model as it means it: Markdown. Nothing in it is loaded, and links say where they lead.

mod blocks;

use egui::text::{LayoutJob, TextFormat};
use egui::{
    Align, CornerRadius, FontId, Frame, Grid, Label, Layout, Link, Margin, ScrollArea, Stroke,
    TextWrapMode, Ui, WidgetText, vec2,
};

use self::blocks::{Block, Look, Span};
use super::{caption, icon_button, styled};
use crate::text::{excerpt, visible_lines};
use crate::theme::size::{LIST_INDENT, QUOTE_LINE, TABLE_LEAST};
use crate::theme::{CONTROL_RADIUS, Type, icons, palette, space};

/// Characters of an address that are shown.
const ADDRESS: usize = 80;
/// Blocks that are drawn; more are in no reply.
const MOST: usize = 5000;

/// What to call things, and which links are links.
pub struct MarkdownWords<'a> {
    /// Copies a block of code.
    pub copy: &'a str,
    /// What a block of code in no language is called.
    pub code: &'a str,
    /// Whether an address may be opened.
    pub opens: &'a dyn Fn(&str) -> bool,
}

/// What was pressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MarkdownPressed {
    /// A link that may be opened.
    Link(String),
    /// A block of code is to be copied.
    Copy(String),
}

/// Draws a text over the available width.
pub fn markdown(ui: &mut Ui, text: &str, words: &MarkdownWords<'_>) -> Option<MarkdownPressed> {
    let mut drawing = Drawing {
        words,
        pressed: None,
        drawn: 0,
    };
    let blocks = blocks::blocks(&visible_lines(text));
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing = vec2(space::S, space::S);
        drawing.blocks(ui, &blocks);
    });
    drawing.pressed
}

struct Drawing<'a> {
    words: &'a MarkdownWords<'a>,
    pressed: Option<MarkdownPressed>,
    drawn: usize,
}

impl Drawing<'_> {
    fn blocks(&mut self, ui: &mut Ui, blocks: &[Block]) {
        for block in blocks {
            if self.drawn == MOST {
                return;
            }
            self.drawn += 1;
            let place = self.drawn;
            ui.push_id(place, |ui| self.block(ui, block));
        }
    }

    fn block(&mut self, ui: &mut Ui, block: &Block) {
        match block {
            Block::Heading(rank, spans) => {
                let kind = match rank {
                    1 => Type::Title,
                    2 => Type::Heading,
                    _ => Type::Bold,
                };
                ui.add_space(space::XS);
                self.line(ui, spans, kind);
            }
            Block::Paragraph(spans) => self.line(ui, spans, Type::Body),
            Block::List(first, items) => {
                for (place, item) in items.iter().enumerate() {
                    let mark = match first {
                        Some(first) => format!("{}.", first.saturating_add(place as u64)),
                        None => "•".to_owned(),
                    };
                    self.item(ui, &mark, item);
                }
            }
            Block::Quote(blocks) => {
                let color = palette(ui).border_strong;
                let drawn = Frame::NONE
                    .inner_margin(Margin {
                        left: space::M as i8,
                        ..Margin::ZERO
                    })
                    .show(ui, |ui| self.blocks(ui, blocks));
                let rect = drawn.response.rect;
                let line = Stroke::new(QUOTE_LINE, color);
                ui.painter()
                    .vline(rect.left() + QUOTE_LINE / 2.0, rect.y_range(), line);
            }
            Block::Code { language, text } => self.code(ui, language, text),
            Block::Table(rows) => self.table(ui, rows),
            Block::Rule => {
                ui.separator();
            }
        }
    }

    fn item(&mut self, ui: &mut Ui, mark: &str, item: &[Block]) {
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = 0.0;
            let line = vec2(LIST_INDENT, ui.text_style_height(&Type::Body.style()));
            ui.allocate_ui_with_layout(line, Layout::left_to_right(Align::Min), |ui| {
                ui.set_min_width(LIST_INDENT);
                let color = palette(ui).muted;
                let format = TextFormat {
                    color,
                    ..format(ui, Type::Body, Look::default())
                };
                let mark = LayoutJob::single_section(mark.to_owned(), format);
                ui.add(Label::new(mark).extend());
            });
            ui.vertical(|ui| {
                ui.spacing_mut().item_spacing.y = space::XS;
                self.blocks(ui, item);
            });
        });
    }

    /// Text that wraps. Links within it are controls of their own.
    fn line(&mut self, ui: &mut Ui, spans: &[Span], kind: Type) {
        if spans.iter().all(|span| span.link.is_none()) {
            let job = job(ui, spans, kind);
            ui.add(Label::new(job).wrap());
            return;
        }
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 0.0;
            // As tall as its text, not as what is pressed.
            ui.spacing_mut().interact_size.y = 0.0;
            for part in spans.chunk_by(|one, other| one.link == other.link) {
                match part.first().and_then(|span| span.link.as_deref()) {
                    Some(target) => self.link(ui, part, target, kind),
                    None => {
                        let job = job(ui, part, kind);
                        ui.label(job);
                    }
                }
            }
        });
    }

    /// A link with the address it leads to behind it, unless it is that.
    fn link(&mut self, ui: &mut Ui, spans: &[Span], target: &str, kind: Type) {
        let text: String = spans.iter().map(|span| span.text.as_str()).collect();
        let text = text.replace('\n', " ");
        let address = excerpt(target, ADDRESS);
        let height = line_height(&kind.style().resolve(ui.style()));
        let shown = match text.trim() {
            "" => &address,
            _ => &text,
        };
        if (self.words.opens)(target) {
            let link = ui.add(Link::new(styled(shown, kind).line_height(Some(height))));
            if link.on_hover_text(excerpt(target, 1000)).clicked() {
                self.pressed = Some(MarkdownPressed::Link(target.to_owned()));
            }
        } else {
            ui.label(styled(shown, kind).line_height(Some(height)));
        }
        if *shown != address {
            let color = palette(ui).muted;
            let address = styled(format!(" ({address})"), Type::Caption).color(color);
            ui.label(address.line_height(Some(height)));
        }
    }

    fn code(&mut self, ui: &mut Ui, language: &str, text: &str) {
        let colors = palette(ui);
        let frame = Frame::NONE
            .fill(colors.sunken)
            .stroke(Stroke::new(1.0, colors.border))
            .corner_radius(CornerRadius::same(CONTROL_RADIUS))
            .inner_margin(Margin::symmetric(space::M as i8, space::XS as i8));
        frame.show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = space::XS;
            ui.horizontal(|ui| {
                let name = match language {
                    "" => self.words.code.to_owned(),
                    language => excerpt(language, 40),
                };
                caption(ui, name);
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    if icon_button(ui, icons::COPY, self.words.copy).clicked() {
                        self.pressed = Some(MarkdownPressed::Copy(text.to_owned()));
                    }
                });
            });
            ScrollArea::horizontal()
                .auto_shrink([false, true])
                .show(ui, |ui| {
                    ui.add(Label::new(styled(text, Type::Code)).extend());
                    ui.add_space(space::XS);
                });
        });
    }

    fn table(&mut self, ui: &mut Ui, rows: &[Vec<Vec<Span>>]) {
        ScrollArea::horizontal()
            .auto_shrink([false, true])
            .show(ui, |ui| {
                ui.spacing_mut().interact_size.y = 0.0;
                let grid = Grid::new("table").striped(true).min_col_width(TABLE_LEAST);
                grid.spacing(vec2(space::L, space::XS)).show(ui, |ui| {
                    for (place, row) in rows.iter().enumerate() {
                        let kind = match place {
                            0 => Type::Bold,
                            _ => Type::Body,
                        };
                        for cell in row {
                            let job = job(ui, cell, kind);
                            let text = WidgetText::from(job);
                            ui.add(Label::new(text).wrap_mode(TextWrapMode::Extend));
                        }
                        ui.end_row();
                    }
                });
                ui.add_space(space::XS);
            });
    }
}

fn line_height(font: &FontId) -> f32 {
    (font.size * Type::LINE_HEIGHT).round()
}

fn job(ui: &Ui, spans: &[Span], kind: Type) -> LayoutJob {
    let mut job = LayoutJob::default();
    for span in spans {
        job.append(&span.text, 0.0, format(ui, kind, span.look));
    }
    job
}

fn format(ui: &Ui, kind: Type, look: Look) -> TextFormat {
    let colors = palette(ui);
    let kind = match (look.code, look.bold, kind) {
        (true, _, _) => Type::Code,
        (false, true, Type::Body) => Type::Bold,
        (false, _, kind) => kind,
    };
    let font = kind.style().resolve(ui.style());
    TextFormat {
        line_height: Some(line_height(&font)),
        font_id: font,
        color: colors.text,
        background: match look.code {
            true => colors.hover,
            false => egui::Color32::TRANSPARENT,
        },
        italics: look.italic,
        // Among links, which are labels of their own, on one line with them.
        valign: Align::Center,
        strikethrough: match look.struck {
            true => Stroke::new(1.0, colors.text),
            false => Stroke::NONE,
        },
        ..TextFormat::default()
    }
}
