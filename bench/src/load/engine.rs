//! All lanes under one epoll, and the measured interval.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use rustix::time::{ClockId, clock_gettime};

use super::endpoint::Endpoint;
use super::lane::Lane;
use super::party::{Party, Tally};
use super::transport::Buffers;
use super::{Beside, Load, Measured, Session, Watch, Work};

/// Connections that are being opened at the same time.
const OPENING_MAX: usize = 64;
/// Nothing from the server for so long is an error.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// How often time is looked at when nothing comes.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };
const EVENTS: usize = 1024;

pub(super) struct Engine<'w> {
    endpoint: &'w Endpoint,
    epoll: OwnedFd,
    lanes: Vec<Lane>,
    parties: Vec<Party<'w>>,
    buffers: Buffers,
    events: Vec<epoll::Event>,
    begin: Instant,
    /// When something last came from the server.
    heard: u64,
}

impl<'w> Engine<'w> {
    pub(super) fn new(
        load: &'w Load,
        work: &'w dyn Work,
        beside: Option<Beside<'w>>,
    ) -> Result<Self> {
        ensure!(load.connections > 0 && load.depth > 0, "at least one connection and one request");
        if let Some(most) = work.lanes_max() {
            let name = work.name();
            ensure!(
                load.connections as u64 <= most,
                "{name} works over {most} connections at most"
            );
        }
        raise_descriptors(load.connections + beside.as_ref().map_or(0, |b| b.connections))?;
        let mut engine = Self {
            endpoint: &load.endpoint,
            epoll: epoll::create(epoll::CreateFlags::CLOEXEC)?,
            lanes: Vec::new(),
            parties: vec![Party::new(work, load.bind.clone())],
            buffers: Buffers::new(),
            events: Vec::with_capacity(EVENTS),
            begin: Instant::now(),
            heard: 0,
        };
        engine.add_lanes(0, load.connections, load.depth);
        if let Some(beside) = beside {
            engine.parties.push(Party::new(beside.work, beside.bind));
            engine.add_lanes(1, beside.connections, beside.depth);
        }
        Ok(engine)
    }

    fn add_lanes(&mut self, party: usize, connections: usize, depth: usize) {
        let depth = match self.parties[party].session {
            Session::Kept => depth,
            Session::Full | Session::Resumed => 1,
        };
        let lane = |index| Lane::new(index as u32, party, depth, self.endpoint);
        let lanes: Vec<Lane> = (0..connections).map(lane).collect();
        self.lanes.extend(lanes);
    }

    fn now(&self) -> u64 {
        self.begin.elapsed().as_nanos() as u64
    }

    /// Opens every connection that is kept, a few at a time, and signs in.
    pub(super) fn open(&mut self) -> Result<()> {
        let kept = |lane: &Lane| self.parties[lane.party].session == Session::Kept;
        let waiting: Vec<usize> =
            (0..self.lanes.len()).filter(|&at| kept(&self.lanes[at])).collect();
        let mut waiting = waiting.into_iter().peekable();
        let mut opening: Vec<usize> = Vec::new();
        while waiting.peek().is_some() || !opening.is_empty() {
            while opening.len() < OPENING_MAX
                && let Some(at) = waiting.next()
            {
                let lane = &mut self.lanes[at];
                lane.open(self.endpoint, &self.parties[lane.party])?;
                self.register(at)?;
                opening.push(at);
            }
            self.step(false)?;
            let lanes = &self.lanes;
            opening.retain(|&at| {
                let transport = lanes[at].transport.as_ref();
                !lanes[at].is_ready || transport.is_some_and(|transport| transport.is_pending())
            });
        }
        Ok(())
    }

    fn register(&mut self, at: usize) -> Result<()> {
        if let Some(transport) = &self.lanes[at].transport {
            let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT;
            epoll::add(&self.epoll, transport, epoll::EventData::new_u64(at as u64), flags)?;
        }
        Ok(())
    }

    /// Waits for events once and serves them; `is_working` sends new requests too.
    fn step(&mut self, is_working: bool) -> Result<()> {
        self.events.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&TICK)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let now = self.now();
        if self.events.is_empty() {
            let silence = Duration::from_nanos(now.saturating_sub(self.heard));
            ensure!(silence < SILENCE_MAX, "nothing came from the server for {silence:.0?}");
            return Ok(());
        }
        self.heard = now;
        for event in 0..self.events.len() {
            let event = self.events[event];
            let (at, flags) = (event.data.u64() as usize, event.flags);
            self.serve(at, flags, is_working)?;
        }
        Ok(())
    }

    fn serve(&mut self, at: usize, flags: epoll::EventFlags, is_working: bool) -> Result<()> {
        let now = self.now();
        let lane = &mut self.lanes[at];
        let party = &mut self.parties[lane.party];
        if flags.contains(epoll::EventFlags::OUT) {
            lane.writable(self.endpoint)?;
        }
        if flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR)
        {
            lane.readable(&mut self.buffers, party, now)?;
        }
        if is_working {
            return self.fill(at, now);
        }
        self.listen(at)
    }

    /// Sends what a lane may send.
    fn fill(&mut self, at: usize, now: u64) -> Result<()> {
        let lane = &mut self.lanes[at];
        let was_open = lane.transport.is_some();
        lane.fill(&mut self.parties[lane.party], self.endpoint, now)?;
        if !was_open && lane.transport.is_some() {
            self.register(at)?;
        }
        self.listen(at)
    }

    /// Tells epoll whether room to write is waited for.
    fn listen(&mut self, at: usize) -> Result<()> {
        let lane = &mut self.lanes[at];
        let Some(transport) = &lane.transport else { return Ok(()) };
        let wants = transport.is_pending();
        if wants != lane.wants_write {
            lane.wants_write = wants;
            let mut flags = epoll::EventFlags::IN;
            flags.set(epoll::EventFlags::OUT, wants);
            epoll::modify(&self.epoll, transport, epoll::EventData::new_u64(at as u64), flags)?;
        }
        Ok(())
    }

    /// Warms up, measures, and lets every lane come to rest.
    pub(super) fn measure(&mut self, load: &Load, watch: &mut dyn Watch) -> Result<Measured> {
        let start = self.now();
        self.heard = start;
        for at in 0..self.lanes.len() {
            self.fill(at, start)?;
        }
        let warm = start + load.warm_up.as_nanos() as u64;
        while self.now() < warm && !self.parties[0].is_exhausted() {
            self.step(true)?;
        }
        let cpu = thread_cpu_seconds();
        watch.begins();
        let begin = self.now();
        self.parties.iter_mut().for_each(|party| party.is_measuring = true);
        let end = begin.saturating_add(u64::try_from(load.duration.as_nanos()).unwrap_or(u64::MAX));
        let operations_max = load.operations_max.unwrap_or(u64::MAX);
        while self.now() < end
            && !self.parties[0].is_exhausted()
            && self.parties[0].tally.operations < operations_max
        {
            self.step(true)?;
        }
        let finish = self.now();
        watch.ends();
        let cpu = thread_cpu_seconds() - cpu;
        self.parties.iter_mut().for_each(|party| party.is_measuring = false);
        self.rest()?;
        let seconds = (finish - begin) as f64 / 1e9;
        let beside = self.parties.get_mut(1).map(|party| std::mem::take(&mut party.tally));
        let beside = beside.unwrap_or_default();
        let tally: Tally = std::mem::take(&mut self.parties[0].tally);
        Ok(Measured {
            operations: tally.operations,
            operations_beside: beside.operations,
            issued: self.parties[0].issued,
            issued_beside: self.parties.get(1).map_or(0, |party| party.issued),
            seconds,
            resumed: tally.resumed,
            entries: tally.entries,
            bytes_received: tally.bytes,
            latency: tally.latency,
            latency_beside: beside.latency,
            checksum: tally.checksum,
            client_cpu_seconds: cpu,
        })
    }

    /// Takes the answers that are still to come.
    fn rest(&mut self) -> Result<()> {
        self.parties.iter_mut().for_each(|party| party.is_ending = true);
        let now = self.now();
        for at in 0..self.lanes.len() {
            self.fill(at, now)?;
        }
        let is_busy = |engine: &Self| {
            let sessions = engine.lanes.iter().any(|lane| {
                engine.parties[lane.party].session != Session::Kept && lane.transport.is_some()
            });
            sessions || !engine.lanes.iter().all(Lane::is_idle)
        };
        while is_busy(self) {
            self.step(true).context("after the measured interval")?;
        }
        Ok(())
    }

    /// Keeps all connections open and looks whether they are.
    pub(super) fn hold(&mut self, duration: Duration) -> Result<()> {
        let end = self.now() + duration.as_nanos() as u64;
        while self.now() < end {
            self.heard = self.now();
            self.step(false)?;
        }
        Ok(())
    }
}

fn thread_cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Each connection is a descriptor, and the usual limit is 1024.
fn raise_descriptors(connections: usize) -> Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let needed = connections as u64 + 64;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    if limit.maximum.is_some_and(|maximum| maximum < needed) {
        bail!("{connections} connections need {needed} descriptors: raise `ulimit -n`");
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum: limit.maximum })?;
    Ok(())
}
