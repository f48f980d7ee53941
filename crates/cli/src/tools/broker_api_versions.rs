//! `kafka-broker-api-versions`: which requests each broker has, and which version would be used.

use client::Admin;
use client::admin::ApiVersion;
use client::cluster::Broker;
use client::{Error, VersionRange};
use protocol::api::ApiKey;

use super::Tool;
use crate::configuration::{BOOTSTRAP, COMMAND_CONFIG, block_on, client_options};
use crate::console::Console;
use crate::failure::Result;
use crate::flags::{Arguments, Flags, required};

pub(crate) const TOOL: Tool = Tool {
    name: "kafka-broker-api-versions",
    about: "Shows which requests, in which versions, each broker of a cluster has.",
    flags: Flags::of(&[required(BOOTSTRAP), COMMAND_CONFIG]),
    run,
};

fn run(arguments: &Arguments, console: &mut Console) -> Result<()> {
    let options = client_options(arguments, console)?;
    block_on(async {
        let admin = Admin::connect(options).await?;
        for broker in admin.describe_cluster().await?.brokers {
            let versions = admin.api_versions(broker.id).await;
            print(console, &broker, versions);
        }
        Ok(())
    })
}

fn print(console: &mut Console, broker: &Broker, versions: std::result::Result<Vec<ApiVersion>, Error>) {
    let rack = broker.rack.as_deref().unwrap_or("null");
    let (host, port, id) = (&broker.host, broker.port, broker.id);
    let head = format!("{host}:{port} (id: {id} rack: {rack} isFenced: false) -> ");
    match versions {
        Ok(versions) => {
            console.line(format_args!("{head}("));
            console.line(format_args!("{}", lines(&versions).join(",\n")));
            console.line(format_args!(")"));
        }
        Err(error) => console.line(format_args!("{head}ERROR: {error}")),
    }
}

/// A line per api that either side knows, lowest key first.
fn lines(versions: &[ApiVersion]) -> Vec<String> {
    let mut rows: Vec<(i16, String)> = versions.iter().map(|row| (row.key.0, line(row))).collect();
    for api in ApiKey::all().iter().filter(|api| api.broker) {
        if !versions.iter().any(|row| row.key == api.key) {
            rows.push((api.key.0, format!("\t{}({}): UNSUPPORTED", api.name, api.key.0)));
        }
    }
    rows.sort();
    rows.into_iter().map(|(_, line)| line).collect()
}

fn line(row: &ApiVersion) -> String {
    let VersionRange { min, max } = row.broker;
    let range = if min == max { min.to_string() } else { format!("{min} to {max}") };
    let key = row.key.0;
    let Some(api) = row.key.api() else { return format!("\tUNKNOWN({key}): {range}") };
    let usable = match row.usable {
        Some(usable) => format!("[usable: {}]", usable.max),
        None if max < api.min => "[unusable: node too old]".to_owned(),
        None => "[unusable: node too new]".to_owned(),
    };
    format!("\t{}({key}): {range} {usable}", api.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_look_like_kafkas() {
        let check = |key: i16, min, max, usable: Option<i16>, expect: &str| {
            let row = ApiVersion {
                key: ApiKey(key),
                broker: VersionRange { min, max },
                usable: usable.map(|max| VersionRange { min: max, max }),
            };
            assert_eq!(line(&row), expect);
        };
        check(0, 0, 13, Some(13), "\tProduce(0): 0 to 13 [usable: 13]");
        check(46, 0, 0, Some(0), "\tListPartitionReassignments(46): 0 [usable: 0]");
        check(0, 0, 2, None, "\tProduce(0): 0 to 2 [unusable: node too old]");
        check(0, 50, 60, None, "\tProduce(0): 50 to 60 [unusable: node too new]");
        check(999, 0, 1, None, "\tUNKNOWN(999): 0 to 1");
        let all = lines(&[]);
        assert_eq!(all[0], "\tProduce(0): UNSUPPORTED");
    }
}
