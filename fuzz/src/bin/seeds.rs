//! Writes first inputs for the protocol targets into `corpus/`, from encodings that Apache Kafka wrote.
//!
//! ```text
//! cargo +nightly run --bin seeds        in the folder fuzz
//! ```

use std::path::Path;
use std::{fs, io};

use protocol::Message;
use protocol::api::ApiKey;

/// The names of all records, in the order in which `protocol_records` numbers them, with their first versions.
fn records() -> Vec<(&'static str, i16)> {
    let mut records = Vec::new();
    macro_rules! visit {
        ($record:path) => {
            records.push((<$record as Message>::SCHEMA.name, <$record as Message>::SCHEMA.min));
        };
    }
    protocol::each_record!(visit);
    records
}

fn apis(suffix: &str) -> Vec<(String, i16)> {
    ApiKey::all().iter().map(|api| (format!("{}{suffix}", api.name), api.min)).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = |place| u8::from_str_radix(&text[place..place + 2], 16).expect("recorded bytes are hex");
    (0..text.len()).step_by(2).map(digits).collect()
}

fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let recorded = fs::read_to_string(folder.join("../crates/protocol/testdata/encodings.txt"))?;
    let records = records().into_iter().map(|(name, min)| (name.to_owned(), min)).collect();
    for (target, names) in [
        ("protocol_requests", apis("Request")),
        ("protocol_responses", apis("Response")),
        ("protocol_records", records),
    ] {
        let corpus = folder.join("corpus").join(target);
        fs::create_dir_all(&corpus)?;
        for line in recorded.lines().filter(|line| !line.starts_with('#')) {
            let [name, version, _, bytes] = line.split('\t').collect::<Vec<_>>()[..] else { continue };
            let Some(place) = names.iter().position(|(known, _)| known == name) else { continue };
            let number: i16 = version.parse().expect("recorded versions are numbers");
            let mut input = vec![place as u8, (number - names[place].1) as u8];
            input.extend(unhex(bytes));
            fs::write(corpus.join(format!("{name}-{version}")), input)?;
        }
    }
    Ok(())
}
