//! How a comparison is looked at: which part, which question, in which order.

use std::collections::BTreeSet;

use super::figures::Charts;
use super::found::Comparison;
use super::table::{Column, Order, Table};

/// A part of a comparison's page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tab {
    /// Figures and charts.
    #[default]
    Findings,
    /// Question by question.
    Questions,
}

/// What the user looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ViewAction {
    /// Another part.
    Tab(Tab),
    /// Holds this variant against the baseline.
    Against(usize),
    /// Orders the questions by this, or the other way round.
    Sort(Column),
    /// Looks at the answers to this question.
    Choose(usize),
    /// Looks at them from another part of the page.
    ChooseIn(usize),
    /// Unfolded what a variant thought, or folded it.
    Unfold(usize),
}

/// How a comparison is looked at.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The part that is shown.
    pub tab: Tab,
    /// The place of the variant that is held against the baseline.
    pub against: usize,
    /// The order of the questions.
    pub order: Order,
    /// The number of the question whose answers are shown.
    pub chosen: Option<usize>,
    /// Variants whose trace is unfolded.
    pub unfolded: BTreeSet<usize>,
    /// The questions in that order.
    pub table: Table,
    /// What the charts show.
    pub charts: Charts,
    shown: Option<(String, u64, usize, Order)>,
}

impl View {
    /// Takes what the user did.
    pub fn act(&mut self, action: ViewAction) {
        match action {
            ViewAction::Tab(tab) => self.tab = tab,
            ViewAction::Against(place) => self.against = place,
            ViewAction::Sort(column) => self.order.by(column),
            ViewAction::Choose(question) => self.chosen = Some(question),
            ViewAction::ChooseIn(question) => {
                self.chosen = Some(question);
                self.tab = Tab::Questions;
            }
            ViewAction::Unfold(variant) => {
                if !self.unfolded.remove(&variant) {
                    self.unfolded.insert(variant);
                }
            }
        }
    }

    /// Makes what is shown of what is there, where either has changed.
    pub fn refresh(&mut self, found: &Comparison) {
        let fits = { found.others() }.any(|place| place == self.against);
        if !fits {
            self.against = found.others().next().unwrap_or(0);
        }
        let shown = (
            found.job.0.clone() + &found.name,
            found.version,
            self.against,
            self.order,
        );
        if self.shown.as_ref() == Some(&shown) {
            return;
        }
        self.table = Table::of(found, self.against, self.order);
        self.charts = found.charts(self.against);
        if self.chosen.is_none() {
            self.chosen = self.table.rows.first().map(|row| row.number);
        }
        self.shown = Some(shown);
    }

    /// The question above or below the one that is looked at; at an end, that one itself.
    pub fn beside(&self, down: bool) -> Option<usize> {
        let rows = &self.table.rows;
        let place = { rows.iter() }.position(|row| Some(row.number) == self.chosen);
        let place = match (place, down) {
            (Some(place), false) => place.saturating_sub(1),
            (Some(place), true) => (place + 1).min(rows.len() - 1),
            (None, _) => 0,
        };
        rows.get(place).map(|row| row.number)
    }
}
