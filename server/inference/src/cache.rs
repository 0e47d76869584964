//! The memory of what was read: blocks of keys and values in a tree of token prefixes.
//!
//! A node is the block of up to 32 tokens that follow its parent's. Whoever reads a prompt first walks the tree as
//! far as its tokens go; what it then computes joins the tree for others. Blocks that no running request uses stay
//! until their memory is needed, the least recently used first. A request reserves all it may come to need before it
//! starts, so that none ever waits half-way for memory that another half-way one holds.

use std::collections::HashMap;

use concord_kernels::{BLOCK, KvBlock};

/// Blocks, and who holds what of them.
pub(crate) struct Cache {
    blocks: Vec<KvBlock>,
    free: Vec<u32>,
    capacity: usize,
    reserved: usize,
    nodes: HashMap<usize, Node>,
    next: usize,
    clock: u64,
}

struct Node {
    tokens: Vec<u32>,
    block: u32,
    parent: Option<usize>,
    children: Vec<usize>,
    used: u64,
    /// Running requests whose prefix this is part of.
    pins: usize,
}

/// What one running sequence holds of the cache. It must be given back.
#[derive(Debug)]
pub(crate) struct Lease {
    /// The sequence's blocks in order: first those of the tree, then its own.
    pub(crate) table: Vec<u32>,
    /// Positions that were computed already when the lease began.
    pub(crate) known: usize,
    path: Vec<usize>,
    /// Leading blocks that are not its own: the tree's, or those of the prefix it branched from.
    shared: usize,
    reserved: usize,
}

impl Cache {
    /// A cache of at most so many blocks, none of them allocated yet.
    pub(crate) fn new(capacity: usize) -> Self {
        let (blocks, free, nodes) = Default::default();
        Self { blocks, free, capacity, reserved: 0, nodes, next: 0, clock: 0 }
    }

    /// Blocks that so many positions may need: one more than they fill, for a prefix that ends inside a block.
    pub(crate) fn need(positions: usize) -> usize {
        positions.div_ceil(BLOCK) + 1
    }

    /// Blocks it may grow to.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// All blocks there are.
    pub(crate) fn blocks(&mut self) -> &mut [KvBlock] {
        &mut self.blocks
    }

    /// Starts a sequence that will read `tokens`, of which `most` may be taken as read; `None` when so many blocks
    /// cannot be promised now.
    pub(crate) fn begin(
        &mut self,
        tokens: &[u32],
        most: usize,
        reserve: usize,
        new: &dyn Fn() -> KvBlock,
    ) -> Option<Lease> {
        if self.reserved + reserve > self.capacity {
            return None;
        }
        self.reserved += reserve;
        let mut lease = Lease { table: Vec::new(), known: 0, path: Vec::new(), shared: 0, reserved: reserve };
        self.walk(&mut lease, tokens, most, new);
        Some(lease)
    }

    /// Looks again how much of `tokens` is known, for a sequence that has read nothing itself yet.
    pub(crate) fn renew(
        &mut self,
        lease: &mut Lease,
        tokens: &[u32],
        most: usize,
        new: &dyn Fn() -> KvBlock,
    ) {
        self.give_back(lease);
        (lease.known, lease.shared) = (0, 0);
        lease.table.clear();
        lease.path.clear();
        self.walk(lease, tokens, most, new);
    }

    fn walk(&mut self, lease: &mut Lease, tokens: &[u32], most: usize, new: &dyn Fn() -> KvBlock) {
        let tokens = &tokens[..most.min(tokens.len())];
        while lease.known < tokens.len() {
            let rest = &tokens[lease.known..];
            let Some((node, common)) = self.best_child(lease.path.last().copied(), rest) else { break };
            if common == BLOCK {
                self.touch(node, 1);
                lease.table.push(self.nodes[&node].block);
                lease.path.push(node);
                lease.shared += 1;
                lease.known += BLOCK;
                continue;
            }
            // The prefix ends inside this block: a copy of it goes on differently.
            let shared = self.nodes[&node].block;
            self.touch(node, 1);
            let own = self.allocate(new);
            self.touch(node, -1);
            if let Some(own) = own {
                self.copy(shared, own);
                lease.table.push(own);
                lease.known += common;
            }
            break;
        }
    }

    /// A sequence that goes on from the first `length` positions of another, which must outlive it. What it needs is
    /// part of what the other has reserved.
    pub(crate) fn branch(
        &mut self,
        prefix: &Lease,
        length: usize,
        need: usize,
        new: &dyn Fn() -> KvBlock,
    ) -> Lease {
        let shared = length / BLOCK;
        let mut table = prefix.table[..shared].to_vec();
        if !length.is_multiple_of(BLOCK) {
            let own = self.allocate(new).expect("what is reserved is there or can be evicted");
            self.copy(prefix.table[shared], own);
            table.push(own);
        }
        Lease { table, known: length, path: Vec::new(), shared, reserved: need }
    }

    /// Ends a sequence that [`branch`](Self::branch) started.
    pub(crate) fn join(&mut self, branch: &Lease) {
        self.give_back(branch);
    }

    /// Blocks for positions up to `length`.
    ///
    /// # Panics
    /// When the lease has not reserved as much.
    pub(crate) fn grow(&mut self, lease: &mut Lease, length: usize, new: &dyn Fn() -> KvBlock) {
        while lease.table.len() * BLOCK < length {
            let own = lease.table.len() - lease.shared;
            assert!(own < lease.reserved, "a lease of {} blocks", lease.reserved);
            let block = self.allocate(new).expect("what is reserved is there or can be evicted");
            lease.table.push(block);
        }
    }

    /// Gives the full blocks of what was read, `tokens`, to the tree; the lease keeps using them.
    pub(crate) fn share(&mut self, lease: &mut Lease, tokens: &[u32]) {
        while (lease.path.len() + 1) * BLOCK <= tokens.len() {
            let at = lease.path.len();
            let full = &tokens[at * BLOCK..][..BLOCK];
            match self.best_child(lease.path.last().copied(), full) {
                // Somebody was faster with the same tokens: equal tokens have equal keys and values.
                Some((node, BLOCK)) => {
                    self.free.push(lease.table[at]);
                    lease.table[at] = self.nodes[&node].block;
                    self.touch(node, 1);
                    lease.path.push(node);
                }
                _ => {
                    let node = self.insert(lease.path.last().copied(), full, lease.table[at]);
                    self.touch(node, 1);
                    lease.path.push(node);
                }
            }
            lease.shared += 1;
        }
    }

    /// Ends a sequence that has read `tokens`, and keeps them for others.
    pub(crate) fn keep(&mut self, mut lease: Lease, tokens: &[u32]) {
        self.share(&mut lease, tokens);
        let rest = &tokens[lease.path.len() * BLOCK..];
        let parent = lease.path.last().copied();
        let known = self.best_child(parent, rest).is_some_and(|(_, common)| common == rest.len());
        if !rest.is_empty() && !known {
            let block = lease.table.remove(lease.path.len());
            self.insert(parent, rest, block);
        }
        self.release(lease);
    }

    /// Ends a sequence: its own blocks are free, shared ones stay for others until memory is needed.
    pub(crate) fn release(&mut self, lease: Lease) {
        self.give_back(&lease);
        self.reserved -= lease.reserved;
    }

    fn give_back(&mut self, lease: &Lease) {
        self.free.extend(&lease.table[lease.shared..]);
        for node in &lease.path {
            self.touch(*node, -1);
        }
    }

    /// Blocks in use by running sequences, or kept for later ones.
    #[cfg(test)]
    pub(crate) fn used(&self) -> (usize, usize) {
        let kept = self.nodes.len();
        (self.blocks.len() - self.free.len() - kept, kept)
    }

    /// Blocks promised to running sequences.
    #[cfg(test)]
    pub(crate) fn reserved(&self) -> usize {
        self.reserved
    }

    /// Forgets everything. No lease may be alive.
    pub(crate) fn clear(&mut self) {
        self.nodes.clear();
        self.reserved = 0;
        self.free = (0..self.blocks.len() as u32).collect();
    }

    fn children(&self, parent: Option<usize>) -> impl Iterator<Item = usize> {
        let of = parent.map(|parent| self.nodes[&parent].children.clone());
        let roots =
            || self.nodes.iter().filter(|(_, node)| node.parent.is_none()).map(|(id, _)| *id).collect();
        of.unwrap_or_else(roots).into_iter()
    }

    /// The child with most tokens in common with `rest`, and how many; none in common is no child.
    fn best_child(&self, parent: Option<usize>, rest: &[u32]) -> Option<(usize, usize)> {
        let common = |node: usize| {
            let tokens = &self.nodes[&node].tokens;
            (node, tokens.iter().zip(rest).take_while(|(a, b)| a == b).count())
        };
        self.children(parent).map(common).filter(|(_, common)| *common > 0).max_by_key(|(_, common)| *common)
    }

    fn touch(&mut self, node: usize, pins: isize) {
        self.clock += 1;
        if let Some(node) = self.nodes.get_mut(&node) {
            node.used = self.clock;
            node.pins = node.pins.saturating_add_signed(pins);
        }
    }

    fn insert(&mut self, parent: Option<usize>, tokens: &[u32], block: u32) -> usize {
        let id = self.next;
        self.next += 1;
        self.clock += 1;
        if let Some(parent) = parent.and_then(|parent| self.nodes.get_mut(&parent)) {
            parent.children.push(id);
        }
        let tokens = tokens.to_vec();
        self.nodes
            .insert(id, Node { tokens, block, parent, children: Vec::new(), used: self.clock, pins: 0 });
        id
    }

    /// A block: a free one, a new one, or the least recently used one that nothing running needs.
    fn allocate(&mut self, new: &dyn Fn() -> KvBlock) -> Option<u32> {
        if let Some(block) = self.free.pop() {
            return Some(block);
        }
        if self.blocks.len() < self.capacity {
            self.blocks.push(new());
            return Some(self.blocks.len() as u32 - 1);
        }
        let unused = self.nodes.iter().filter(|(_, node)| node.pins == 0 && node.children.is_empty());
        let oldest = unused.min_by_key(|(_, node)| node.used).map(|(id, _)| *id)?;
        let node = self.nodes.remove(&oldest)?;
        if let Some(parent) = node.parent.and_then(|parent| self.nodes.get_mut(&parent)) {
            parent.children.retain(|child| *child != oldest);
        }
        Some(node.block)
    }

    fn copy(&mut self, from: u32, to: u32) {
        if let Ok([from, to]) = self.blocks.get_disjoint_mut([from as usize, to as usize]) {
            to.copy_from(from);
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn new() -> KvBlock {
        KvBlock::new(1, 1, 16)
    }

    fn begin(cache: &mut Cache, tokens: &[u32]) -> Lease {
        cache.begin(tokens, tokens.len() - 1, Cache::need(tokens.len()), &new).unwrap()
    }

    /// Reads all tokens and keeps them.
    fn read(cache: &mut Cache, tokens: &[u32]) -> usize {
        let mut lease = begin(cache, tokens);
        let known = lease.known;
        cache.grow(&mut lease, tokens.len(), &new);
        cache.keep(lease, tokens);
        known
    }

    #[test]
    fn a_prefix_is_found_as_far_as_its_tokens_go_and_one_token_is_always_left_to_read() {
        let mut cache = Cache::new(64);
        let tokens: Vec<u32> = (0..100).collect();
        assert_eq!(read(&mut cache, &tokens), 0);
        assert_eq!(read(&mut cache, &tokens), 99);
        let mut other = tokens.clone();
        other[70] = 7;
        assert_eq!(read(&mut cache, &other), 70);
        assert_eq!(read(&mut cache, &other), 99);
        assert_eq!(read(&mut cache, &tokens[..50]), 49);
        assert_eq!(read(&mut cache, &[9, 9]), 0);
        // Blocks: 4 of the first, 2 that differ in the second, 1 of the last.
        assert_eq!(cache.used(), (0, 7));
    }

    #[test]
    fn the_least_recently_used_goes_first_and_what_runs_stays() {
        let mut cache = Cache::new(6);
        let (a, b): (Vec<u32>, Vec<u32>) = ((0..64).collect(), (100..164).collect());
        read(&mut cache, &a);
        read(&mut cache, &b);
        assert_eq!(read(&mut cache, &a), 63);
        let running = begin(&mut cache, &b);
        assert_eq!(running.known, 63);
        // Three more blocks are not promised beside the three of the running one and its own copy.
        assert!(cache.begin(&[1; 100], 99, 4, &new).is_none());
        read(&mut cache, &[7; 64]);
        cache.release(running);
        assert_eq!(read(&mut cache, &b), 63, "what ran is still known");
        assert!(read(&mut cache, &a) < 63, "what nobody used is gone");
    }

    #[test]
    fn blocks_are_neither_lost_nor_doubled_under_random_requests() {
        let mut random = ChaCha8Rng::seed_from_u64(8);
        let mut cache = Cache::new(40);
        let mut running: Vec<(Lease, Vec<u32>)> = Vec::new();
        for _ in 0..5_000 {
            if running.len() < 6 && random.random_bool(0.6) {
                // Few different tokens: prefixes meet often.
                let tokens: Vec<u32> =
                    (0..random.random_range(2..150)).map(|_| random.random_range(0..2)).collect();
                let need = Cache::need(tokens.len());
                if let Some(mut lease) = cache.begin(&tokens, tokens.len() - 1, need, &new) {
                    cache.grow(&mut lease, tokens.len(), &new);
                    if random.random_bool(0.5) {
                        cache.share(&mut lease, &tokens);
                    }
                    running.push((lease, tokens));
                }
            } else if !running.is_empty() {
                let (lease, tokens) = running.swap_remove(random.random_range(0..running.len()));
                if random.random_bool(0.3) { cache.release(lease) } else { cache.keep(lease, &tokens) }
            }
            let mut held: Vec<u32> = cache.free.clone();
            held.extend(cache.nodes.values().map(|node| node.block));
            held.extend(running.iter().flat_map(|(lease, _)| lease.table[lease.path.len()..].to_vec()));
            held.sort_unstable();
            assert_eq!(held, (0..cache.blocks.len() as u32).collect::<Vec<_>>());
            assert!(cache.blocks.len() <= 40);
        }
        running.into_iter().for_each(|(lease, _)| cache.release(lease));
        assert_eq!((cache.used().0, cache.reserved()), (0, 0));
        assert!(cache.nodes.values().all(|node| node.pins == 0));
    }
}
