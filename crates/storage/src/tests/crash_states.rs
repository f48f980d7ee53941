//! Every state that a crash may leave of a scripted run.

use super::script::{Mode, check, run};
use super::*;
use crate::disk::recorder::RecorderDisk;

#[test]
fn every_crash_state_opens_with_all_that_was_durable() {
    let mut count = 0;
    for mode in [Mode::Durable, Mode::Default] {
        let (recorder, recording) = RecorderDisk::new(disk_without_names());
        let marks = recording.clone();
        run(Arc::new(recorder), mode, &mut |durable| marks.mark(durable.0 as u64)).unwrap();
        count += recording.states(torn(), |state| {
            let what = format!("{mode:?}, {} changes, {:?}", state.changes, state.crash);
            check(&state.disk, Offset(state.mark as i64), &what);
        });
    }
    println!("{count} crash states of appends, rolls, retention, cuts and checkpoints");
    assert!(count > 600, "{count}");
}

fn disk_without_names() -> Arc<dyn Disk> {
    MemoryDisk::new().shared()
}
