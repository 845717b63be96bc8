//! A comparison from its wishes to its report.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Instant;

use stepladder_protocol::{
    AnswerGiven, ComparedQuestion, ComparedRow, ComparedVariant, ComparisonDocument,
    ComparisonProgress, ComparisonReport, ComparisonStarted, ComparisonTimes, SamplerSettings,
    VariantProgress, VariantTimes,
};

use super::answer_file::{AnswerFile, Settings, StoredAnswer, by_place};
use super::answering::{Answering, Asked, OneByOne, SideBySide};
use super::extraction::{AnswerRules, Reference};
use super::selection::{Selection, Wish, select};
use super::summary::summarize;
use super::variants::{self, Variant};
use super::wishes::{News, Outcome, Wishes};
use super::{matched, report_files};
use crate::models::compute::Compute;
use crate::models::model::ModelFiles;
use crate::training::stop_flag::StopFlag;
use crate::{Error, Result, generation};

/// Where the user names no seed.
const SEED: u64 = 42;
/// Where the user names no limit: a reply that does not end takes no more than this.
const MAX_TOKENS: usize = 2048;

/// Compares, or goes on with what the folder holds.
///
/// # Errors
/// When model, adapters or questions cannot be used, the folder holds something else, or the disk
/// refuses; answers that were given are kept.
pub fn compare(
    wishes: &Wishes,
    compute: Compute,
    stop: &StopFlag,
    told: &mut dyn FnMut(News),
) -> Result<Outcome> {
    let rules = AnswerRules::new(wishes.answer_pattern.as_deref())?;
    let files = ModelFiles::open(&wishes.model)?.computing_on(compute);
    let variants = variants::load(&files, &wishes.adapters)?;
    let baseline = variants::place_of(&variants, &wishes.baseline)?;
    let wish = Wish {
        model: &wishes.model,
        data: wishes.data.as_deref(),
        limit: wishes.limit,
    };
    let selection = select(wish, &files, &variants, &rules, &mut |so_far| {
        told(News::Reading(so_far));
        go_on(stop)
    });
    let mut selection = match selection {
        Err(Error::Stopped) => return Ok(Outcome::Stopped { answers: 0 }),
        selection => selection?,
    };
    selection.notices.extend(variants::about(&variants));
    let settings = SamplerSettings {
        seed: Some(wishes.settings.seed.unwrap_or(SEED)),
        max_tokens: Some(wishes.settings.max_tokens.unwrap_or(MAX_TOKENS)),
        ..wishes.settings.clone()
    };
    let identity = identity(wishes, &files, &variants, &selection, &settings)?;
    let (file, stored) = AnswerFile::open(&wishes.out, &identity)?;
    let names: Vec<String> = variants
        .iter()
        .map(|variant| variant.name.clone())
        .collect();
    let answers = by_place(stored, &names, selection.questions.len());
    let mut efforts = vec![Effort::default(); variants.len()];
    for ((_, variant), stored) in &answers {
        efforts[*variant].add(stored);
    }
    let mut work = Work {
        wishes,
        variants: variants.iter().map(Variant::told).collect(),
        references: { selection.questions.iter() }
            .map(|question| {
                let reference = question.reference.as_deref();
                reference.map(|text| Reference::of(text, &rules))
            })
            .collect(),
        selection,
        settings,
        rules,
        baseline,
        kept: answers.len(),
        device: files.compute().in_words(),
        efforts,
        answers,
        file,
        began: None,
    };
    work.tell_beginning(told);
    let one_by_one = OneByOne::new(&files, &variants, generation_settings(&work.settings));
    let mut answering: Box<dyn Answering> = match files.compute().is_card() {
        true => Box::new(SideBySide::new(one_by_one)),
        // An answer then depends on nothing but its question, to the last bit.
        false => Box::new(one_by_one),
    };
    match work.ask_all(&variants, answering.as_mut(), stop, told) {
        Ok(()) => {}
        Err(Error::Stopped) => {
            work.file.sync()?;
            return Ok(Outcome::Stopped {
                answers: work.answers.len(),
            });
        }
        Err(error) => return Err(error),
    }
    work.file.sync()?;
    work.write_report().map(Box::new).map(Outcome::Finished)
}

fn go_on(stop: &StopFlag) -> ControlFlow<()> {
    match stop.is_raised() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}

fn generation_settings(settings: &SamplerSettings) -> generation::SamplerSettings {
    generation::SamplerSettings {
        temperature: settings.temperature,
        top_k: settings.top_k,
        top_p: settings.top_p,
        min_p: settings.min_p,
        repetition_penalty: settings.repetition_penalty,
        seed: settings.seed,
        max_tokens: settings.max_tokens,
    }
}

/// What answers depend on.
fn identity(
    wishes: &Wishes,
    files: &ModelFiles,
    variants: &[Variant],
    selection: &Selection,
    settings: &SamplerSettings,
) -> Result<Settings> {
    let fingerprints = variants.iter().map(|variant| {
        let form = format!("{:?}", variant.quantization);
        Ok((
            variant.name.clone(),
            format!("{} {form}", variant.fingerprint()?),
        ))
    });
    Ok(Settings {
        model: wishes.model.clone(),
        weights: files.fingerprint().content,
        variants: fingerprints.collect::<Result<_>>()?,
        questions: selection.fingerprint.clone(),
        sampling: settings.clone(),
        answer_pattern: wishes.answer_pattern.clone(),
    })
}

/// What answers took.
#[derive(Clone, Copy, Debug, Default)]
struct Effort {
    answers: usize,
    tokens: usize,
    secs: f64,
}

impl Effort {
    fn add(&mut self, stored: &StoredAnswer) {
        self.answers += 1;
        self.tokens += stored.answer.total_tokens;
        self.secs += stored.elapsed_secs;
    }

    fn tokens_per_second(self) -> Option<f64> {
        (self.secs > 0.0).then(|| self.tokens as f64 / self.secs)
    }
}

/// A comparison under way.
struct Work<'a> {
    wishes: &'a Wishes,
    variants: Vec<ComparedVariant>,
    selection: Selection,
    /// What each question's answers are held against.
    references: Vec<Option<Reference>>,
    settings: SamplerSettings,
    rules: AnswerRules,
    baseline: usize,
    /// Answers by question and variant, both from 0.
    answers: HashMap<(usize, usize), StoredAnswer>,
    /// What each variant's answers took.
    efforts: Vec<Effort>,
    /// How many of them an earlier call gave.
    kept: usize,
    /// What it computes on, in words.
    device: String,
    file: AnswerFile,
    /// When the first question of this call was asked.
    began: Option<Instant>,
}

impl Work<'_> {
    fn question(&self, place: usize) -> ComparedQuestion {
        let question = &self.selection.questions[place];
        ComparedQuestion {
            number: place + 1,
            question: question.text(),
            reference: question.reference.clone(),
        }
    }

    fn given(&self, place: usize, variant: usize) -> Option<News> {
        let stored = self.answers.get(&(place, variant))?;
        Some(News::Answer(Box::new(AnswerGiven {
            question: place + 1,
            variant,
            answer: stored.answer.clone(),
        })))
    }

    /// Tells what is known before anything is asked, answers of an earlier call included.
    fn tell_beginning(&self, told: &mut dyn FnMut(News)) {
        for text in &self.selection.notices {
            told(News::Notice(text.clone()));
        }
        told(News::Started(ComparisonStarted {
            out: self.wishes.out.display().to_string(),
            device: self.device.clone(),
            variants: self.variants.clone(),
            baseline: self.wishes.baseline.clone(),
            question_source: self.selection.source.clone(),
            questions: self.selection.questions.len(),
            left_out_trained_on: self.selection.left_out,
            kept_answers: self.kept,
        }));
        for place in 0..self.selection.questions.len() {
            let mut given = { 0..self.variants.len() }
                .filter_map(|variant| self.given(place, variant))
                .peekable();
            if given.peek().is_some() {
                told(News::Question(self.question(place)));
                given.for_each(&mut *told);
            }
        }
        told(News::Progress(self.progress()));
    }

    /// Asks what is not answered yet: some questions, each variant, the next questions. Variants that
    /// need the backbone in another form come behind the others, so that each form is loaded once.
    fn ask_all(
        &mut self,
        loaded: &[Variant],
        answering: &mut dyn Answering,
        stop: &StopFlag,
        told: &mut dyn FnMut(News),
    ) -> Result<()> {
        let mut forms = Vec::new();
        for variant in loaded {
            if !forms.contains(&variant.quantization) {
                forms.push(variant.quantization);
            }
        }
        let all: Vec<usize> = (0..self.selection.questions.len()).collect();
        for form in forms {
            let these: Vec<usize> = { 0..loaded.len() }
                .filter(|place| loaded[*place].quantization == form)
                .collect();
            for batch in all.chunks(self.wishes.batch_size.max(1)) {
                for &variant in &these {
                    self.ask(batch, variant, answering, stop, told)?;
                }
                self.file.sync()?;
            }
        }
        Ok(())
    }

    fn ask(
        &mut self,
        batch: &[usize],
        variant: usize,
        answering: &mut dyn Answering,
        stop: &StopFlag,
        told: &mut dyn FnMut(News),
    ) -> Result<()> {
        let is_open = |place: &usize| !self.answers.contains_key(&(*place, variant));
        let open: Vec<usize> = batch.iter().copied().filter(is_open).collect();
        if open.is_empty() {
            return Ok(());
        }
        answering.make_ready(variant, &mut |so_far| {
            told(News::Loading(so_far));
            go_on(stop)
        })?;
        self.began.get_or_insert_with(Instant::now);
        let questions: Vec<_> = { open.iter() }
            .map(|place| self.selection.questions[*place].clone())
            .collect();
        let seed = self.settings.seed.unwrap_or(SEED);
        // Answers come side by side: each took the time since the one before it.
        let mut since = Instant::now();
        let asked: Vec<Asked<'_>> = { questions.iter() }
            .map(|question| Asked {
                messages: &question.messages,
                tools: question.tools.as_ref(),
                // A question draws alike wherever it stands and whoever answers.
                seed: seed.wrapping_add(question.key),
            })
            .collect();
        answering.answer(variant, &asked, stop, &mut |given| {
            let place = open[given.place];
            let reference = self.references[place].as_ref();
            let stored = StoredAnswer {
                question: place + 1,
                variant: self.variants[variant].name.clone(),
                elapsed_secs: since.elapsed().as_secs_f64(),
                answer: given.reply.counted(&self.rules, reference),
            };
            since = Instant::now();
            self.file.append(&stored)?;
            self.efforts[variant].add(&stored);
            let is_first = (0..self.variants.len())
                .all(|variant| !self.answers.contains_key(&(place, variant)));
            self.answers.insert((place, variant), stored);
            if is_first {
                told(News::Question(self.question(place)));
            }
            { self.given(place, variant) }
                .into_iter()
                .for_each(&mut *told);
            told(News::Progress(self.progress()));
            Ok(())
        })
    }

    fn progress(&self) -> ComparisonProgress {
        let total = self.selection.questions.len();
        let variants = self.efforts.iter().map(|effort| VariantProgress {
            done: effort.answers,
            total,
            tokens_per_second: effort.tokens_per_second(),
        });
        let elapsed_secs = self
            .began
            .map_or(0.0, |began| began.elapsed().as_secs_f64());
        let new = self.answers.len() - self.kept;
        let open = total * self.variants.len() - self.answers.len();
        ComparisonProgress {
            variants: variants.collect(),
            elapsed_secs,
            remaining_secs: (new > 0).then(|| elapsed_secs / new as f64 * open as f64),
        }
    }

    /// Writes everything that comes of the answers.
    fn write_report(&self) -> Result<ComparisonReport> {
        let answers_to = |place: usize| {
            let all = 0..self.variants.len();
            all.filter_map(|variant| Some(self.answers.get(&(place, variant))?.answer.clone()))
                .collect()
        };
        let rows: Vec<ComparedRow> = { 0..self.selection.questions.len() }
            .map(|place| ComparedRow {
                question: self.question(place),
                answers: answers_to(place),
            })
            .collect();
        let document = ComparisonDocument {
            report: ComparisonReport {
                questions: rows.len(),
                baseline: self.wishes.baseline.clone(),
                variants: summarize(&rows, &self.variants, self.baseline),
                model: self.wishes.model.clone(),
                question_source: self.selection.source.clone(),
                left_out_trained_on: self.selection.left_out,
                settings: self.settings.clone(),
                answer_pattern: self.wishes.answer_pattern.clone(),
                notices: { self.selection.notices.iter().cloned() }
                    .chain(report_files::without_room(&rows))
                    .collect(),
                matched: { self.wishes.matched.as_ref() }
                    .map(|set| matched::summary::report(set, &rows)),
            },
            rows,
        };
        let times = ComparisonTimes {
            variants: { self.variants.iter().zip(&self.efforts) }
                .map(|(variant, effort)| VariantTimes {
                    name: variant.name.clone(),
                    elapsed_secs: effort.secs,
                    tokens_per_second: effort.tokens_per_second(),
                })
                .collect(),
        };
        report_files::write(&self.wishes.out, &document, self.baseline, &times)?;
        Ok(document.report)
    }
}
