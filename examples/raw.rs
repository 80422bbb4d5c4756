fn main() {
    let a: Vec<String> = std::env::args().skip(1).collect();
    let p = boundby::profile::profile(&boundby::profile::Target::Command(a), 2.0).unwrap();
    eprintln!(
        "wall {:?} exit {:?} user {:?} sys {:?} procs {} threads {} rt {:?}",
        p.wall, p.exit, p.cpu_user, p.cpu_system, p.processes, p.threads, p.runtime
    );
    eprint!("wall:");
    for (a, n) in p.wall_book.iter() {
        if n > 0 {
            eprint!(" {}={:.1}%", a.name(), n as f64 / p.wall.as_nanos() as f64 * 100.0)
        }
    }
    eprintln!(" total {:?}", p.wall_book.total());
    eprint!("threads:");
    for (a, n) in p.thread_book.iter() {
        if n > 0 {
            eprint!(" {}={:.3}", a.name(), n as f64 / 1e9)
        }
    }
    eprintln!(" total {:?}", p.thread_book.total());
    eprintln!("par {:?}\nsplit {:?}\nloop {:?}", p.parallelism, p.cpu_split, p.event_loop);
    for s in p.sites.iter().take(6) {
        eprintln!("  {:?}", s)
    }
    if let Some(i) = &p.items {
        eprintln!(
            "items n={} lanes={} wait={:?} gil={:?} native={:?} cv={:?} longest={:?} share={:.2} segs={}",
            i.count,
            i.lanes,
            i.wait,
            i.cpu_gil,
            i.cpu_native,
            i.cv,
            i.longest,
            i.share,
            i.segments.len()
        )
    }
    for g in p.process_groups.iter().take(4) {
        eprintln!("  group {:?}", g)
    }
    eprintln!("{:?}", p.quality);
}
