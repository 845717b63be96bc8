//! Tables in Markdown whose columns are aligned, so that they read as plain text too.

/// A table that grows row by row.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(heading: &[&str]) -> Self {
        Self {
            rows: vec![heading.iter().map(|&cell| cell.to_owned()).collect()],
        }
    }

    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        // A bar would end the cell.
        let cells = cells.into_iter().map(|cell| cell.replace('|', "/"));
        self.rows.push(cells.collect());
    }

    pub(super) fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
                .max(3)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = widths.iter().enumerate().map(|(column, width)| {
                let cell = row.get(column).map_or("", String::as_str);
                format!(" {cell:width$} |")
            });
            format!("|{}\n", cells.collect::<String>())
        };
        let mut text = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            text.push_str(&line(row));
            if number == 0 {
                let rule = widths
                    .iter()
                    .map(|width| format!("{}|", "-".repeat(width + 2)));
                text.push_str(&format!("|{}\n", rule.collect::<String>()));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&["a", "method"]);
        table.row(["4 × 2048".to_owned(), "x|y".to_owned()]);
        let expected = "| a        | method |\n|----------|--------|\n| 4 × 2048 | x/y    |\n";
        assert_eq!(table.text(), expected);
    }
}
