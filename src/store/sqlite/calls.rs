//! The calls of the store, each turned into a closure over owned values that one of the threads runs.
//!
//! What changes something goes to the writer, the rest to the readers. No SQL stands here.

use tokio::sync::oneshot;

use super::{
    Sqlite, channels, ids, lists, marks, messages, moderation, provisional, sessions, writer,
};
use crate::store::*;

impl Store for Sqlite {
    fn append(&self, kept: Vec<Kept>) -> Answer<'_, Vec<Message>> {
        self.write(move |db| messages::append(db, kept))
    }

    fn list(
        &self,
        upstream: &str,
        channel: &str,
        filter: &Filter,
        window: &Window,
    ) -> Answer<'_, Page> {
        let (upstream, channel) = (Text::from(upstream), Text::from(channel));
        let (filter, window, max) = (filter.clone(), window.clone(), self.page_max);
        self.read(move |db| lists::list(db, &upstream, &channel, &filter, &window, max))
    }

    fn get(&self, upstream: &str, channel: Option<&str>, id: &str) -> Answer<'_, Option<Message>> {
        let (upstream, channel, id) = (
            Text::from(upstream),
            channel.map(Text::from),
            Text::from(id),
        );
        self.read(move |db| messages::get(db, &upstream, channel.as_deref(), &id))
    }

    fn edit(&self, upstream: &str, change: Message) -> Answer<'_, Option<Message>> {
        let upstream = Text::from(upstream);
        self.write(move |db| messages::edit(db, &upstream, change))
    }

    fn delete(
        &self,
        upstream: &str,
        channel: Option<&str>,
        id: &str,
    ) -> Answer<'_, Option<Message>> {
        let (upstream, channel, id) = (
            Text::from(upstream),
            channel.map(Text::from),
            Text::from(id),
        );
        self.write(move |db| messages::delete(db, &upstream, channel.as_deref(), &id))
    }

    fn search(
        &self,
        upstream: &str,
        channel: &str,
        words: &str,
        limit: u32,
    ) -> Answer<'_, Vec<Message>> {
        let (upstream, channel, words) = (
            Text::from(upstream),
            Text::from(channel),
            record::fold(words),
        );
        let limit = i64::from(limit).min(self.page_max);
        self.read(move |db| lists::search(db, &upstream, &channel, &words, limit))
    }

    fn channels(&self, upstream: &str) -> Answer<'_, Vec<Channel>> {
        let upstream = Text::from(upstream);
        self.read(move |db| channels::all(db, &upstream))
    }

    fn channel(&self, upstream: &str, id: &str) -> Answer<'_, Option<Channel>> {
        let (upstream, id) = (Text::from(upstream), Text::from(id));
        self.read(move |db| channels::one(db, &upstream, &id))
    }

    fn put_channel(&self, upstream: &str, channel: Channel) -> Answer<'_, Channel> {
        let upstream = Text::from(upstream);
        self.write(move |db| channels::put(db, &upstream, channel))
    }

    fn mark(&self, mark: Mark, change: Change) -> Answer<'_, bool> {
        self.write(move |db| marks::mark(db, &mark, change))
    }

    fn marks(
        &self,
        person: Option<&str>,
        upstream: &str,
        channel: &str,
        messages: &[Text],
    ) -> Answer<'_, Vec<Mark>> {
        let (person, upstream, channel) = (
            person.map(Text::from),
            Text::from(upstream),
            Text::from(channel),
        );
        let messages = messages.to_vec();
        self.read(move |db| marks::marks(db, person.as_deref(), &upstream, &channel, &messages))
    }

    fn marked(&self, most: usize) -> Answer<'_, Vec<(Text, Text)>> {
        self.read(move |db| marks::marked(db, most))
    }

    fn unread(&self, person: &str, upstream: &str, channel: &str) -> Answer<'_, i64> {
        let (person, upstream, channel) = (
            Text::from(person),
            Text::from(upstream),
            Text::from(channel),
        );
        self.read(move |db| marks::unread(db, &person, &upstream, &channel))
    }

    fn set_presence(&self, upstream: &str, person: &str, presence: &str) -> Answer<'_, ()> {
        let (upstream, person, presence) = (
            Text::from(upstream),
            Text::from(person),
            Text::from(presence),
        );
        self.write(move |db| marks::set_presence(db, &upstream, &person, &presence))
    }

    fn presence(&self, upstream: &str, people: &[Text]) -> Answer<'_, Vec<Text>> {
        let (upstream, people) = (Text::from(upstream), people.to_vec());
        self.read(move |db| marks::presence(db, &upstream, &people))
    }

    fn moderate(
        &self,
        upstream: &str,
        done: Moderation,
        verdict: Verdict,
    ) -> Answer<'_, Option<Moderation>> {
        let upstream = Text::from(upstream);
        self.write(move |db| moderation::keep(db, &upstream, done, verdict))
    }

    fn moderations(
        &self,
        upstream: &str,
        channel: &str,
        bans: bool,
        window: &Window,
    ) -> Answer<'_, (Vec<Moderation>, Window)> {
        let (upstream, channel) = (Text::from(upstream), Text::from(channel));
        let (window, max) = (window.clone(), self.page_max);
        self.read(move |db| moderation::list(db, &upstream, &channel, bans, &window, max))
    }

    fn barred(&self, upstream: &str) -> Answer<'_, Vec<Barred>> {
        let upstream = Text::from(upstream);
        self.read(move |db| moderation::barred(db, &upstream))
    }

    fn mint(&self, natives: Vec<Native>) -> Answer<'_, Vec<Minted>> {
        self.write(move |db| ids::mint(db, &natives))
    }

    fn known(&self, natives: &[Native]) -> Answer<'_, Vec<Option<u64>>> {
        let natives = natives.to_vec();
        self.read(move |db| ids::known(db, &natives))
    }

    fn native(&self, number: u64) -> Answer<'_, Option<Native>> {
        self.read(move |db| ids::native(db, number))
    }

    fn resolve(&self, kind: IdKind, alias: &str) -> Answer<'_, Option<(u64, Native)>> {
        let alias = Text::from(alias);
        self.read(move |db| ids::resolve(db, kind, &alias))
    }

    fn bind(&self, number: u64, native: Native) -> Answer<'_, bool> {
        self.write(move |db| ids::bind(db, number, &native))
    }

    fn put_provisional(&self, sent: Provisional) -> Answer<'_, ()> {
        self.write(move |db| provisional::put(db, &sent))
    }

    fn provisionals(&self) -> Answer<'_, Vec<Provisional>> {
        self.read(provisional::all)
    }

    fn put_session(&self, session: SessionRow) -> Answer<'_, ()> {
        self.write(move |db| sessions::put(db, &session))
    }

    fn sessions(&self) -> Answer<'_, Vec<SessionRow>> {
        self.read(sessions::all)
    }

    fn drop_session(&self, id: &str) -> Answer<'_, bool> {
        let id = Text::from(id);
        self.write(move |db| sessions::drop(db, &id))
    }

    fn claim(&self, scope: &str, key: &str, fingerprint: &[u8], now: Time) -> Answer<'_, Claim> {
        let (scope, key, fingerprint) = (Text::from(scope), Text::from(key), fingerprint.to_vec());
        self.write(move |db| sessions::claim(db, &scope, &key, &fingerprint, now))
    }

    fn settle(&self, scope: &str, key: &str, outcome: Option<Vec<u8>>) -> Answer<'_, ()> {
        let (scope, key) = (Text::from(scope), Text::from(key));
        self.write(move |db| sessions::settle(db, &scope, &key, outcome.as_deref()))
    }

    fn purge(&self, now: Time) -> Answer<'_, Purged> {
        self.write(move |db| sessions::purge(db, now))
    }

    fn health(&self) -> Health {
        self.state.health()
    }

    fn reopen(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            let queued = self.writer.send(writer::Order::Reopen(reply)).await;
            queued.map_err(|_| StoreError::Closed)?;
            answer.await.unwrap_or(Err(StoreError::Closed))
        })
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(self.close_all())
    }
}
