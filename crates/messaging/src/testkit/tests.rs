//! The checks find flaws: a broker with one flaw fails the check of it.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::{MESSAGE_ID, MemoryBroker, Operator, Receipt};

/// Faults of a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    LosesHeaders,
    Duplicates,
    MatchesTooMuch,
    SharesNothing,
    CountsNothing,
    IgnoresDelays,
    IgnoresExtend,
    IgnoresOrder,
    AnswersNonsense,
    ForgetsRejected,
}

/// A broker with a fault.
struct Flawed {
    flaw: Flaw,
    inner: MemoryBroker,
}

struct FlawedConsumer {
    flaw: Flaw,
    inner: Box<dyn Consumer>,
}

struct FlawedReceipt {
    flaw: Flaw,
    inner: Box<dyn Receipt>,
}

#[async_trait]
impl Broker for Flawed {
    async fn publish(&self, mut messages: Vec<Message>) -> Vec<crate::Result<()>> {
        for message in &mut messages {
            match self.flaw {
                Flaw::LosesHeaders => message.headers.truncate(2),
                Flaw::Duplicates => message.headers.retain(|(name, _)| name != MESSAGE_ID),
                _ => {}
            }
        }
        self.inner.publish(messages).await
    }

    async fn reply(&self, answer: Message) -> crate::Result<()> {
        self.inner.reply(answer).await
    }

    async fn request(&self, message: Message, replies: usize, timeout: Duration) -> crate::Result<Vec<Message>> {
        if self.flaw == Flaw::AnswersNonsense {
            return Ok(vec![message]);
        }
        self.inner.request(message, replies, timeout).await
    }

    async fn subscribe(&self, subscription: &Subscription) -> tempo_settings::Result<Box<dyn Consumer>> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let mut subscription = subscription.clone();
        match self.flaw {
            Flaw::MatchesTooMuch => subscription.topics.iter_mut().for_each(|topic| *topic = topic.replace(".*", ".>")),
            Flaw::SharesNothing => subscription.consumer += &NEXT.fetch_add(1, Relaxed).to_string(),
            Flaw::IgnoresOrder => subscription.ordered = false,
            _ => {}
        }
        // A filter ends at the first `>`.
        subscription.topics.retain(|topic| crate::topic::check_filter(topic).is_ok());
        Ok(Box::new(FlawedConsumer { flaw: self.flaw, inner: self.inner.subscribe(&subscription).await? }))
    }

    fn operator(&self) -> Option<&dyn Operator> {
        self.inner.operator()
    }
}

#[async_trait]
impl Consumer for FlawedConsumer {
    async fn fetch(&mut self, most: usize) -> crate::Result<Vec<Delivery>> {
        let flaw = self.flaw;
        let change = |delivery: Delivery| Delivery {
            attempt: if flaw == Flaw::CountsNothing { 1 } else { delivery.attempt },
            receipt: Box::new(FlawedReceipt { flaw, inner: delivery.receipt }),
            ..delivery
        };
        Ok(self.inner.fetch(most).await?.into_iter().map(change).collect())
    }
}

#[async_trait]
impl Receipt for FlawedReceipt {
    async fn ack(self: Box<Self>) -> crate::Result<()> {
        self.inner.ack().await
    }

    async fn retry(self: Box<Self>, delay: Duration) -> crate::Result<()> {
        let delay = if self.flaw == Flaw::IgnoresDelays { Duration::ZERO } else { delay };
        self.inner.retry(delay).await
    }

    async fn reject(self: Box<Self>, reason: &str) -> crate::Result<()> {
        match self.flaw {
            Flaw::ForgetsRejected => self.inner.ack().await,
            _ => self.inner.reject(reason).await,
        }
    }

    async fn extend(&self) -> crate::Result<()> {
        if self.flaw == Flaw::IgnoresExtend { Ok(()) } else { self.inner.extend().await }
    }
}

/// Runs a check on a broker with a flaw.
async fn check(flaw: Flaw, name: &str) -> Result<()> {
    let brokers: Mutex<HashMap<String, MemoryBroker>> = Mutex::default();
    let open = move |word: String| {
        let inner = brokers.lock().unwrap().entry(word).or_default().clone();
        let broker: Arc<dyn Broker> = Arc::new(Flawed { flaw, inner });
        Box::pin(std::future::ready(Ok(broker))) as LocalBoxFuture<'static, _>
    };
    let suite = Suite { open: Arc::new(open), capabilities: Capabilities::ALL };
    let check = checks().into_iter().find(|check| check.name() == name).unwrap();
    check.run(suite).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flaw_is_found() {
    let flaws = [
        (Flaw::LosesHeaders, "messages_arrive_as_published"),
        (Flaw::Duplicates, "messages_with_a_known_id_are_dropped"),
        (Flaw::MatchesTooMuch, "topics_match"),
        (Flaw::SharesNothing, "members_share_messages"),
        (Flaw::CountsNothing, "retries_are_redelivered"),
        (Flaw::IgnoresDelays, "retries_are_redelivered"),
        (Flaw::IgnoresExtend, "extend_prevents_redelivery"),
        (Flaw::IgnoresOrder, "messages_of_a_key_are_in_order"),
        (Flaw::AnswersNonsense, "a_request_receives_its_reply"),
        (Flaw::ForgetsRejected, "rejected_messages_are_dead_letters"),
    ];
    let checked = flaws.map(|(flaw, name)| async move { (flaw, name, check(flaw, name).await) });
    for (flaw, name, checked) in futures::future::join_all(checked).await {
        assert!(checked.is_err(), "{flaw:?} passes {name}");
    }
}

#[test]
fn capabilities_choose_the_trials() {
    let names = |capabilities| {
        let open = |_| async { anyhow::Ok(Arc::new(MemoryBroker::default()) as Arc<dyn Broker>) };
        let trials = trials("mine", open, &capabilities);
        trials.iter().map(|trial| trial.name().to_owned()).collect::<Vec<_>>()
    };
    let (all, none) = (names(Capabilities::ALL), names(Capabilities::NONE));
    assert_eq!((all.len(), none.len()), (36, 12));
    assert!(all.contains(&"mine::dead_letters_are_replayed".to_owned()));
    assert!(none.contains(&"mine::there_is_no_operator".to_owned()));
}
