//! An answer that several partitions give together, each on the thread that owns it.
//!
//! Invariant: every part is given once: by its partition, or when the part is dropped because the partition is gone.

use std::sync::{Arc, Mutex, PoisonError};

/// What is done with all parts, in their order.
type Finish<T> = Box<dyn FnOnce(Vec<T>) + Send>;

struct Gather<T> {
    state: Mutex<State<T>>,
}

struct State<T> {
    given: Vec<Option<T>>,
    waiting: usize,
    finish: Option<Finish<T>>,
}

/// The place of one partition in the answer.
pub(crate) struct Part<T> {
    gather: Arc<Gather<T>>,
    index: usize,
    /// What stands there if nobody gives anything; nothing: it was given.
    otherwise: Option<T>,
}

/// A part for each of `otherwise`, which is what it becomes if it is dropped. `finish` is called by whoever gives the last.
pub(crate) fn gather<T: Send>(
    otherwise: Vec<T>,
    finish: impl FnOnce(Vec<T>) + Send + 'static,
) -> Vec<Part<T>> {
    if otherwise.is_empty() {
        finish(Vec::new());
        return Vec::new();
    }
    let waiting = otherwise.len();
    let given = otherwise.iter().map(|_| None).collect();
    let state = State { given, waiting, finish: Some(Box::new(finish)) };
    let gather = Arc::new(Gather { state: Mutex::new(state) });
    let part = |(index, otherwise)| Part { gather: gather.clone(), index, otherwise: Some(otherwise) };
    otherwise.into_iter().enumerate().map(part).collect()
}

impl<T> Part<T> {
    /// Gives the part.
    pub(crate) fn give(mut self, given: T) {
        self.otherwise = None;
        self.gather.give(self.index, given);
    }
}

impl<T> Drop for Part<T> {
    fn drop(&mut self) {
        if let Some(otherwise) = self.otherwise.take() {
            self.gather.give(self.index, otherwise);
        }
    }
}

impl<T> Gather<T> {
    fn give(&self, index: usize, given: T) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.given[index] = Some(given);
        state.waiting -= 1;
        if state.waiting > 0 {
            return;
        }
        let (given, finish) = (std::mem::take(&mut state.given), state.finish.take());
        drop(state);
        if let Some(finish) = finish {
            finish(given.into_iter().flatten().collect());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_finishes_and_a_dropped_one_counts() {
        let finished = Arc::new(Mutex::new(None));
        let told = finished.clone();
        let mut parts = gather(vec![-1, -2, -3], move |all| *told.lock().unwrap() = Some(all));
        parts.remove(1).give(20);
        parts.remove(0).give(10);
        assert_eq!(*finished.lock().unwrap(), None);
        drop(parts);
        assert_eq!(*finished.lock().unwrap(), Some(vec![10, 20, -3]));
    }

    #[test]
    fn nothing_asked_is_answered_at_once() {
        let finished = Arc::new(Mutex::new(false));
        let told = finished.clone();
        assert!(gather(Vec::<i32>::new(), move |_| *told.lock().unwrap() = true).is_empty());
        assert!(*finished.lock().unwrap());
    }
}
