//! Markdown as blocks: what there is to be drawn, without how. Half a text is fine: it is a reply that
//! is still coming. Pictures are never loaded, they are links with their description; HTML is text.

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// A part of a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// A heading; 1 is the largest.
    Heading(u8, Vec<Span>),
    /// A paragraph.
    Paragraph(Vec<Span>),
    /// A list; numbered from this on, or with dots.
    List(Option<u64>, Vec<Vec<Block>>),
    /// A quotation.
    Quote(Vec<Block>),
    /// Code, and the language it says it is in.
    Code {
        /// May be empty.
        language: String,
        /// Without the last line break.
        text: String,
    },
    /// A table; the first row is its head.
    Table(Vec<Vec<Vec<Span>>>),
    /// A line across.
    Rule,
}

/// Text of one look.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Span {
    /// The text.
    pub text: String,
    /// Its look.
    pub look: Look,
    /// Where it leads.
    pub link: Option<String>,
}

/// How a span looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Bold.
    pub bold: bool,
    /// Italic.
    pub italic: bool,
    /// Struck through.
    pub struck: bool,
    /// Code.
    pub code: bool,
}

/// Blocks within blocks deeper than this are drawn as if they were this deep.
const DEEPEST: usize = 12;

/// The blocks of a text.
pub fn blocks(text: &str) -> Vec<Block> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let mut reader = Reader::default();
    for event in Parser::new_ext(text, options) {
        reader.take(event);
    }
    reader.finish()
}

/// What is open.
enum Open {
    List(Option<u64>, Vec<Vec<Block>>),
    Item(Vec<Block>),
    Quote(Vec<Block>),
    Table(Vec<Vec<Vec<Span>>>),
}

#[derive(Default)]
struct Reader {
    done: Vec<Block>,
    open: Vec<Open>,
    spans: Vec<Span>,
    look: Look,
    links: Vec<String>,
    code: Option<(String, String)>,
}

impl Reader {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) => self.text(&text),
            Event::Code(text) => {
                let look = self.look;
                self.look.code = true;
                self.text(&text);
                self.look = look;
            }
            Event::InlineHtml(text) | Event::Html(text) => self.text(&text),
            Event::InlineMath(text) | Event::DisplayMath(text) => self.text(&text),
            // Models break lines where they want them broken.
            Event::SoftBreak | Event::HardBreak => self.text("\n"),
            Event::Rule => self.push(Block::Rule),
            Event::FootnoteReference(_) | Event::TaskListMarker(_) => {}
        }
    }

    fn text(&mut self, text: &str) {
        if let Some((_, code)) = &mut self.code {
            code.push_str(text);
            return;
        }
        let link = self.links.last().cloned();
        match self.spans.last_mut() {
            Some(last) if last.look == self.look && last.link == link => last.text.push_str(text),
            _ => self.spans.push(Span {
                text: text.to_owned(),
                look: self.look,
                link,
            }),
        }
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph | Tag::Heading { .. } | Tag::TableCell | Tag::HtmlBlock => {
                self.paragraph()
            }
            Tag::BlockQuote(_) => {
                self.paragraph();
                self.open(Open::Quote(Vec::new()));
            }
            Tag::CodeBlock(kind) => {
                self.paragraph();
                let language = match kind {
                    CodeBlockKind::Fenced(info) => info
                        .split_whitespace()
                        .next()
                        .unwrap_or_default()
                        .to_owned(),
                    CodeBlockKind::Indented => String::new(),
                };
                self.code = Some((language, String::new()));
            }
            Tag::List(first) => {
                self.paragraph();
                self.open(Open::List(first, Vec::new()));
            }
            Tag::Item => self.open(Open::Item(Vec::new())),
            Tag::Table(_) => {
                self.paragraph();
                self.open(Open::Table(Vec::new()));
            }
            Tag::TableHead | Tag::TableRow => {
                if let Some(Open::Table(rows)) = self.open.last_mut() {
                    rows.push(Vec::new());
                }
            }
            Tag::Emphasis => self.look.italic = true,
            Tag::Strong => self.look.bold = true,
            Tag::Strikethrough => self.look.struck = true,
            Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. } => {
                self.links.push(dest_url.into_string());
            }
            _ => {}
        }
    }

    fn open(&mut self, open: Open) {
        self.open.push(open);
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::HtmlBlock => self.paragraph(),
            TagEnd::Heading(level) => {
                let spans = std::mem::take(&mut self.spans);
                self.push(Block::Heading(rank(level), spans));
            }
            TagEnd::CodeBlock => {
                if let Some((language, mut text)) = self.code.take() {
                    if text.ends_with('\n') {
                        text.pop();
                    }
                    self.push(Block::Code { language, text });
                }
            }
            TagEnd::Item | TagEnd::List(_) | TagEnd::BlockQuote(_) | TagEnd::Table => {
                self.paragraph();
                self.close();
            }
            TagEnd::TableCell => {
                let spans = std::mem::take(&mut self.spans);
                if let Some(Open::Table(rows)) = self.open.last_mut()
                    && let Some(row) = rows.last_mut()
                {
                    row.push(spans);
                }
            }
            TagEnd::Emphasis => self.look.italic = false,
            TagEnd::Strong => self.look.bold = false,
            TagEnd::Strikethrough => self.look.struck = false,
            TagEnd::Link | TagEnd::Image => {
                self.links.pop();
            }
            _ => {}
        }
    }

    /// Ends the text that stands in no block of its own.
    fn paragraph(&mut self) {
        if !self.spans.is_empty() {
            let spans = std::mem::take(&mut self.spans);
            self.push(Block::Paragraph(spans));
        }
    }

    fn close(&mut self) {
        match self.open.pop() {
            Some(Open::List(first, items)) => self.push(Block::List(first, items)),
            Some(Open::Item(blocks)) => match self.open.last_mut() {
                Some(Open::List(_, items)) => items.push(blocks),
                _ => blocks.into_iter().for_each(|block| self.push(block)),
            },
            Some(Open::Quote(blocks)) => self.push(Block::Quote(blocks)),
            Some(Open::Table(rows)) => self.push(Block::Table(rows)),
            None => {}
        }
    }

    fn push(&mut self, block: Block) {
        // A list or quotation that is too deep gives its parts to what is around it.
        let block = match (self.open.len() > DEEPEST, block) {
            (true, Block::Quote(blocks)) => {
                return blocks.into_iter().for_each(|one| self.push(one));
            }
            (true, Block::List(_, items)) => {
                return items.into_iter().flatten().for_each(|one| self.push(one));
            }
            (_, block) => block,
        };
        match self.open.last_mut() {
            Some(Open::Item(blocks) | Open::Quote(blocks)) => blocks.push(block),
            Some(Open::List(_, items)) => items.push(vec![block]),
            Some(Open::Table(_)) | None => self.done.push(block),
        }
    }

    fn finish(mut self) -> Vec<Block> {
        self.paragraph();
        while !self.open.is_empty() {
            self.close();
        }
        self.done
    }
}

fn rank(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Vec<Span> {
        vec![Span {
            text: text.to_owned(),
            ..Span::default()
        }]
    }

    #[test]
    fn blocks_are_told_apart() {
        let text = "# Title\n\ntext\nmore\n\n- one\n- two\n  1. deep\n\n> said\n\n```rust x\nlet a;\n```\n\n---\n\n| a | b |\n|---|---|\n| 1 | 2 |\n";
        let found = blocks(text);
        assert_eq!(found[0], Block::Heading(1, plain("Title")));
        assert_eq!(found[1], Block::Paragraph(plain("text\nmore")));
        let Block::List(None, items) = &found[2] else {
            panic!("{found:#?}");
        };
        assert_eq!(items[0], [Block::Paragraph(plain("one"))]);
        let deep = vec![vec![Block::Paragraph(plain("deep"))]];
        assert_eq!(items[1][1], Block::List(Some(1), deep));
        assert_eq!(
            found[3],
            Block::Quote(vec![Block::Paragraph(plain("said"))])
        );
        let code = Block::Code {
            language: "rust".to_owned(),
            text: "let a;".to_owned(),
        };
        assert_eq!(found[4], code);
        assert_eq!(found[5], Block::Rule);
        let row = |one: &str, other: &str| vec![plain(one), plain(other)];
        assert_eq!(found[6], Block::Table(vec![row("a", "b"), row("1", "2")]));
    }

    #[test]
    fn looks_and_links_are_kept_and_pictures_are_links() {
        let found =
            blocks("a **b *c*** `d` ~~e~~ [f](https://f.example) ![g](https://g.example/x.png)");
        let [Block::Paragraph(spans)] = &found[..] else {
            panic!("{found:#?}");
        };
        let find = |text: &str| spans.iter().find(|span| span.text == text).unwrap();
        assert!(find("b ").look.bold && !find("b ").look.italic);
        assert!(find("c").look.bold && find("c").look.italic);
        assert!(find("d").look.code);
        assert!(find("e").look.struck);
        assert_eq!(find("f").link.as_deref(), Some("https://f.example"));
        assert_eq!(find("g").link.as_deref(), Some("https://g.example/x.png"));
    }

    #[test]
    fn half_a_text_and_html_are_text() {
        let open = blocks("so:\n\n```python\nprint(1");
        let code = Block::Code {
            language: "python".to_owned(),
            text: "print(1".to_owned(),
        };
        assert_eq!(open[1], code);
        assert_eq!(
            blocks("<script>alert(1)</script>"),
            [Block::Paragraph(plain("<script>alert(1)</script>"))]
        );
        assert_eq!(blocks(""), []);
    }

    #[test]
    fn depth_is_bounded() {
        let found = blocks(&format!("{}deep", "> ".repeat(500)));
        fn depth(blocks: &[Block]) -> usize {
            let deeper = |block: &Block| match block {
                Block::Quote(blocks) => 1 + depth(blocks),
                _ => 0,
            };
            blocks.iter().map(deeper).max().unwrap_or(0)
        }
        assert!(depth(&found) <= DEEPEST + 1, "{}", depth(&found));
    }
}
