//! A table at the end of a run: headings, and rows that each have a colour.

use crate::show::{self, Colour, Show};

pub struct Row<const N: usize> {
    pub cells: [String; N],
    pub colour: Colour,
}

/// `numbers` are the columns that stand to the right.
pub fn print<const N: usize>(show: &Show, headings: [&str; N], numbers: &[usize], rows: &[Row<N>]) {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row.cells[column].as_str());
        let widths = cells
            .chain([headings[column]])
            .map(|cell| cell.chars().count());
        widths.max().unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width);
    show::print("");
    let headings = line(headings, widths, numbers);
    show::print(&show.paint(Colour::Bold, &headings));
    for row in rows {
        let cells = row.cells.each_ref().map(String::as_str);
        show::print(&show.paint(row.colour, &line(cells, widths, numbers)));
    }
}

fn line<const N: usize>(cells: [&str; N], widths: [usize; N], numbers: &[usize]) -> String {
    let padded = cells.iter().zip(widths).enumerate();
    let padded = padded.map(|(column, (cell, width))| {
        if numbers.contains(&column) {
            format!("  {cell:>width$}")
        } else {
            format!("  {cell:width$}")
        }
    });
    padded.collect::<String>().trim_end().to_owned()
}
