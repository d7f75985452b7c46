//! The results of a batch, by place.

use datawald_core::engine::{Applied, Done};
use datawald_core::store::Claimed;
use datawald_core::{Disposition, Error, Result};

use super::job::Job;
use super::refusals::unanswered;

/// The results of a batch, by place.
pub(super) struct Results(Vec<Option<Applied>>);

impl Results {
    pub(super) fn of(batch: &[Claimed]) -> Self {
        Self(batch.iter().map(|_| None).collect())
    }

    /// Refuses an order that never came to a look-up.
    pub(super) fn refuse(&mut self, at: usize, error: Error) {
        self.put(at, Err(error).into());
    }

    /// What became of an order. Its reference is kept if the other side knows it by that, or may.
    pub(super) fn set(&mut self, job: &Job<'_>, result: Result<Done>) {
        let told = match &result {
            Ok(Done::Applied { .. } | Done::Cancelled { .. } | Done::NotThereYet) => true,
            Ok(Done::Ignored { .. }) => false,
            Err(error) => error.disposition() == Disposition::Uncertain,
        };
        let reference = told.then(|| job.stored_reference()).flatten();
        self.put(job.at, Applied { result, reference });
    }

    /// The same failure for all.
    pub(super) fn fail<'a>(&mut self, jobs: impl IntoIterator<Item = &'a Job<'a>>, error: &Error) {
        jobs.into_iter().for_each(|job| self.set(job, Err(error.clone())));
    }

    /// Spreads the answer of a batch step over the orders that it was asked for.
    pub(super) fn spread(
        &mut self,
        jobs: &[&Job<'_>],
        answer: Result<Vec<Result<String>>>,
        step: &'static str,
        done: impl Fn(usize, String) -> Done,
    ) {
        match answer {
            Err(error) => jobs.iter().for_each(|job| self.set(job, Err(error.clone()))),
            Ok(answers) => {
                let missing = jobs.len().saturating_sub(answers.len());
                let answers = answers.into_iter().chain((0..missing).map(|_| Err(unanswered(step))));
                for (place, (job, answer)) in jobs.iter().zip(answers).enumerate() {
                    self.set(job, answer.map(|text| done(place, text)));
                }
            }
        }
    }

    fn put(&mut self, at: usize, applied: Applied) {
        if let Some(place) = self.0.get_mut(at) {
            *place = Some(applied);
        }
    }

    /// The results, with the entity named in every error.
    pub(super) fn named(self, batch: &[Claimed]) -> Vec<Applied> {
        let name = |(claimed, applied): (&Claimed, Option<Applied>)| {
            let Applied { result, reference } = applied.unwrap_or_else(|| Err(unanswered("apply")).into());
            Applied { result: result.map_err(|error| error.or_entity(|| claimed.key.to_string())), reference }
        };
        batch.iter().zip(self.0).map(name).collect()
    }
}
