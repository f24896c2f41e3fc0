//! Commands about no channel in particular: the channels that a caller may read, and what stands in all of them.
//!
//! The routes say where to look, each place is asked in turn, and what the caller may not know of is left out. A place
//! that cannot list its channels still has those that a route names.

use super::{Asked, Carried, Gateway, rename};
use crate::model::{
    Channel, Channels, Command, Fault, FindChannel, Kind, List, ListChannels, Messages, OneChannel,
    Operation, Outcome, Reply, Text, Window,
};
use crate::route::Source;

/// The status of a channel that tells of none.
const OFFLINE: &str = "offline";

/// A channel that was seen: its upstream, what that says of it, and the client's name for it.
struct Seen {
    upstream: Text,
    channel: Channel,
    name: Text,
}

impl Gateway {
    /// All channels that the caller may read, from every upstream that its routes lead to.
    pub(super) async fn channels(&self, asked: &Asked<'_>, list: &ListChannels) -> Outcome {
        let ids = &self.relay.shared.ids;
        let mut channels = Vec::new();
        if !list.status.is_empty() && !list.category.is_empty() {
            // No service tells of any.
            return Err(Fault::client(Kind::NotFound, "no such category"));
        }
        for seen in self.all_seen(asked).await? {
            if !has_status(&seen.channel, &list.status) {
                continue;
            }
            let mut outcome = Ok(Reply::OneChannel(OneChannel {
                channel: Box::new(seen.channel),
            }));
            let side = self.teller(asked.profile, &seen.upstream, false);
            ids.outward(&side, &mut outcome).await?;
            let id = ids
                .channel_id(&asked.envelope.dialect, asked.profile.ids, &seen.name)
                .await?;
            let mut reply = outcome?;
            rename(&mut reply, &id);
            if let Reply::OneChannel(one) = reply {
                channels.push(*one.channel);
            }
        }
        let (channels, window) = crate::relay::page(channels, &list.window)?;
        Ok(Reply::Channels(Channels {
            channels,
            window: Box::new(window),
        }))
    }

    /// A list over every channel that the caller may read, newest last.
    pub(super) async fn everywhere(&self, asked: &Asked<'_>, list: List) -> Outcome {
        // What is skipped may all be in one channel, so each is asked for that much more.
        let length = list.window.length().unwrap_or(i64::MAX);
        let skip = list.window.skipped(length);
        let window = Window {
            limit: list.window.limit.map(|limit| limit.saturating_add(skip)),
            offset: None,
            page: None,
            ..list.window.clone()
        };
        let shared = &self.relay.shared;
        let lists = |upstream: &str| {
            Carried::of(shared, upstream, Operation::List) != Some(Carried::Refused)
        };
        let (mut messages, mut total) = (Vec::new(), Some(0));
        for seen in self.all_seen(asked).await? {
            let ids = &self.relay.shared.ids;
            let channel = ids
                .channel_id(&asked.envelope.dialect, asked.profile.ids, &seen.name)
                .await?;
            let one = Command::List(List {
                channel,
                window: window.clone(),
                ..list.clone()
            });
            match self.one(asked, Box::new(one)).await {
                Ok(Reply::Messages(page)) => {
                    total = total.zip(page.window.total).map(|(sum, more)| sum + more);
                    messages.extend(page.messages);
                }
                // A place without lists has nothing to add.
                Err(fault) if fault.kind.is(Kind::Unsupported) && !lists(&seen.upstream) => {}
                outcome => return outcome,
            }
        }
        messages.sort_by_key(|message| message.created_at);
        list.window.cut(&mut messages, skip, length);
        let window = Window {
            total,
            ..list.window
        };
        Ok(Reply::Messages(Messages {
            messages,
            window: Box::new(window),
        }))
    }

    async fn all_seen(&self, asked: &Asked<'_>) -> Result<Vec<Seen>, Fault> {
        let mut all = Vec::new();
        for source in self
            .rules
            .routes
            .visible(&asked.envelope.dialect, asked.application)
        {
            let seen = self.seen(asked, source).await?;
            all.extend(seen.into_iter().filter(|seen| {
                self.is_open(
                    asked.principal,
                    &seen.upstream,
                    &seen.channel.id,
                    &seen.name,
                )
            }));
        }
        Ok(all)
    }

    async fn seen(&self, asked: &Asked<'_>, source: Source) -> Result<Vec<Seen>, Fault> {
        match source {
            Source::One {
                upstream,
                channel,
                client_channel,
            } => {
                let find = FindChannel {
                    channel: channel.clone(),
                    ..FindChannel::default()
                };
                let found = match self
                    .relayed(asked, &upstream, Box::new(Command::FindChannel(find)))
                    .await
                {
                    Ok(Reply::OneChannel(one)) => one.channel,
                    // What the upstream cannot describe still has its name.
                    _ => Box::new(Channel {
                        id: channel,
                        name: client_channel.clone(),
                        ..Channel::default()
                    }),
                };
                Ok(vec![Seen {
                    upstream,
                    channel: *found,
                    name: client_channel,
                }])
            }
            Source::Every { upstream } => {
                let list = Command::ListChannels(ListChannels::default());
                let channels = match self.relayed(asked, &upstream, Box::new(list)).await {
                    Ok(Reply::Channels(list)) => list.channels,
                    Err(fault) if !fault.kind.is(Kind::Unsupported) => return Err(fault),
                    _ => Vec::new(),
                };
                let named = channels.into_iter().filter_map(|channel| {
                    let (routes, dialect) = (&self.rules.routes, &asked.envelope.dialect);
                    let name = routes.client_channel(
                        dialect,
                        asked.application,
                        &upstream,
                        &channel.id,
                    )?;
                    Some(Seen {
                        upstream: upstream.clone(),
                        channel,
                        name,
                    })
                });
                Ok(named.collect())
            }
        }
    }
}

fn has_status(channel: &Channel, wanted: &str) -> bool {
    let status = match channel.status.as_str() {
        "" => OFFLINE,
        status => status,
    };
    wanted.is_empty() || wanted == status
}
