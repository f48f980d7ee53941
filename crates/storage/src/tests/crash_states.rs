//! Every state that a crash may leave of a scripted run.

use super::script::{Mode, check, run};
use super::*;
use crate::disk::recorder::RecorderDisk;

#[test]
fn every_crash_state_opens_with_all_that_was_durable() {
    // How many of the seeded mixtures per moment; `STORAGE_TORN` makes more.
    let torn = scale("STORAGE_TORN", 1);
    let mut count = 0;
    for mode in [Mode::Durable, Mode::Default] {
        let (recorder, recording) = RecorderDisk::new(disk_without_names());
        let marks = recording.clone();
        run(Arc::new(recorder), mode, &mut |durable| marks.mark(durable.0 as u64)).unwrap();
        count += recording.states(torn, |state| {
            let what = format!("{mode:?}, {} changes, {:?}", state.changes, state.crash);
            check(&state.disk, Offset(state.mark as i64), &what);
        });
    }
    println!("{count} crash states");
    assert!(count > 1000);
}

fn disk_without_names() -> Arc<dyn Disk> {
    MemoryDisk::new().shared()
}
