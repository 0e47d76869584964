//! What the tags' prompt shows of an interest: things of its evidence, and what people who use those use too.

use super::tags::Standing;
use super::{Generator, Subject};
use crate::jobs::JobError;
use concord_domain::ItemEssentials;
use concord_pipeline::interests::threads::{self, Kinds};
use concord_pipeline::tags::Interest;
use concord_store::{behaviours, items};
use sqlx::PgConnection;
use std::collections::{HashMap, HashSet};

/// Kinds of things shown of either.
const SHOWN: usize = 5;
/// Things of others that are looked at, those that most of them use.
const OTHERS: i64 = 100;
/// Of these the likest are read by title, to find so many kinds.
const READ: usize = 40;

impl Generator {
    pub(super) async fn shown(
        &self,
        subject: &Subject,
        interests: &[Standing],
    ) -> Result<Vec<Interest>, JobError> {
        let mine: HashMap<i64, &ItemEssentials> =
            subject.behaviours.iter().filter_map(|it| it.item.as_ref()).map(|item| (item.id, item)).collect();
        let mut conn = self.pool.acquire().await?;
        let mut shown = Vec::with_capacity(interests.len());
        for interest in interests {
            let behind: HashSet<i64> = interest.behaviours.iter().copied().collect();
            let evidence = subject.behaviours.iter().filter(|it| behind.contains(&it.id));
            let things: Vec<i64> = threads::items(evidence).into_iter().map(|item| item.id).collect();
            let (things, others) = surroundings(&mut conn, subject.args.user, &things, &mine).await?;
            let mut kinds = Kinds::default();
            let has = things.iter().filter_map(|it| kinds.title_of_new(mine.get(it)?));
            let has: Vec<String> = has.take(SHOWN).collect();
            let others = others.iter().filter_map(|it| kinds.title_of_new(it)).take(SHOWN).collect();
            shown.push(Interest { name: interest.text.clone(), has, others });
        }
        Ok(shown)
    }
}

/// These things, those most like the rest first; and the things that go with them of people who use them, the likest first.
/// What was kept away of the user plays no part: neither are the user's own things read anew, nor do they count as a person.
async fn surroundings(
    conn: &mut PgConnection,
    user: i64,
    things: &[i64],
    mine: &HashMap<i64, &ItemEssentials>,
) -> Result<(Vec<i64>, Vec<ItemEssentials>), JobError> {
    #[expect(clippy::cast_possible_wrap, reason = "500")]
    let most = threads::PEOPLE as i64;
    let mut people = behaviours::people_of(conn, things, user, most).await?;
    let company = threads::company(things, &people);
    let own: Vec<i64> = mine.keys().copied().collect();
    let others = behaviours::used_by(conn, &company, &own, OTHERS).await?;
    people.extend(behaviours::people_of(conn, &others, user, most).await?);
    let mut beside = threads::beside(things, &others, &people);
    beside.truncate(READ);
    let mut read: HashMap<i64, ItemEssentials> =
        items::essentials(conn, &beside).await?.into_iter().map(|item| (item.id, item)).collect();
    let beside = beside.iter().filter_map(|it| read.remove(it)).collect();
    Ok((threads::foremost(things, &people), beside))
}
