//! Tables that read well in a terminal and as Markdown.

use std::fmt::{self, Display, Formatter};

/// A table of text. The first column names its row; another in which every cell is a number, whatever follows
/// it, is set to the right.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<S: Into<String>>(header: impl IntoIterator<Item = S>) -> Self {
        let header = header.into_iter().map(Into::into).collect();
        Self { rows: vec![header] }
    }

    /// Adds a row. Cells that are missing at its end are empty.
    pub(crate) fn row<S: Into<String>>(&mut self, cells: impl IntoIterator<Item = S>) {
        let mut cells: Vec<String> = cells.into_iter().map(Into::into).collect();
        cells.resize(self.rows[0].len(), String::new());
        self.rows.push(cells);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }

    fn column(&self, number: usize) -> Column {
        let widths = self.rows.iter().map(|row| row[number].chars().count());
        let is_number = |cell: &str| {
            cell.starts_with(|first: char| first.is_ascii_digit()) && !cell.contains(" × ")
        };
        let mut cells = self.rows.iter().skip(1).map(|row| &row[number]);
        Column {
            width: widths.max().unwrap_or_default().max(1),
            numeric: number > 0 && cells.all(|cell| cell.is_empty() || is_number(cell)),
        }
    }
}

struct Column {
    width: usize,
    numeric: bool,
}

impl Display for Table {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let columns: Vec<Column> = (0..self.rows[0].len())
            .map(|number| self.column(number))
            .collect();
        for (number, row) in self.rows.iter().enumerate() {
            for (cell, &Column { width, numeric }) in row.iter().zip(&columns) {
                if numeric {
                    write!(f, "| {cell:>width$} ")?;
                } else {
                    write!(f, "| {cell:<width$} ")?;
                }
            }
            writeln!(f, "|")?;
            if number == 0 {
                for &Column { width, numeric } in &columns {
                    let end = if numeric { ':' } else { '-' };
                    write!(f, "|{:-<width$}{end}", "-", width = width + 1)?;
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_at_the_right() {
        let mut table = Table::new(["name", "ns"]);
        assert!(table.is_empty());
        table.row(["a", "1"]);
        table.row(["bcdef", "1,000"]);
        let expected = "\
| name  |    ns |
|-------|------:|
| a     |     1 |
| bcdef | 1,000 |
";
        assert_eq!(table.to_string(), expected);
    }

    #[test]
    fn a_short_row_is_filled_up() {
        let mut table = Table::new(["a", "b"]);
        table.row(["x"]);
        assert_eq!(table.to_string(), "| a | b |\n|---|--:|\n| x |   |\n");
    }
}
