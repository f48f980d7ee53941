//! x
use client::*;
use std::time::Duration;
#[tokio::main]
async fn main() {
    let a: Vec<String> = std::env::args().collect();
    let servers = &a[1];
    let n: u64 = a[2].parse().unwrap();
    let topic = &a[3];
    let admin = Admin::connect(ClientOptions::new(servers)).await.unwrap();
    let _ = admin
        .create_topics(&[client::admin::NewTopic::new(topic.as_str()).partitions(3)], false)
        .await
        .unwrap();
    let p = Producer::builder(servers).build().await.unwrap();
    let failed = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let mut worst = 0;
    for i in 0..n {
        let f = failed.clone();
        let t = std::time::Instant::now();
        p.send_then(Record::new(topic.as_str()).key(format!("{}", i % 50)).value(format!("{i}")), move |r| {
            if let Err(e) = r {
                eprintln!("{e}");
                f.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        })
        .await
        .unwrap();
        worst = worst.max(t.elapsed().as_millis());
        if i % 20 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    p.close().await.unwrap();
    println!(
        "sent {n}, failed {}, longest send {worst} ms",
        failed.load(std::sync::atomic::Ordering::Relaxed)
    );
    let mut c =
        Consumer::builder(servers).auto_offset_reset(AutoOffsetReset::Earliest).build().await.unwrap();
    let parts = c.partitions_of(topic).await.unwrap();
    c.assign(parts).unwrap();
    let mut last = std::collections::HashMap::new();
    let (mut count, mut dup, mut gap) = (0, 0, 0);
    loop {
        let rs = c.poll(Duration::from_secs(4)).await.unwrap();
        if rs.is_empty() {
            break;
        }
        for r in rs {
            count += 1;
            let v: i64 = std::str::from_utf8(&r.value.unwrap()).unwrap().parse().unwrap();
            let k = r.key.unwrap();
            let before = last.insert(k, v);
            match before {
                None => {
                    if v >= 50 {
                        gap += 1
                    }
                }
                Some(b) if v == b + 50 => {}
                Some(b) if v <= b => dup += 1,
                _ => gap += 1,
            }
        }
    }
    println!("read {count}, duplicates or disorder {dup}, gaps {gap}");
}
