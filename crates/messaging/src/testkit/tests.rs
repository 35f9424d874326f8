//! Conforming brokers pass the suite, and others fail it.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::{FileBroker, MESSAGE_ID, MemoryBroker, Operator, Receipt};

#[tokio::test(flavor = "multi_thread")]
async fn memory_conforms() {
    let brokers: Mutex<HashMap<String, MemoryBroker>> = Mutex::default();
    let open = |word: String| {
        let broker = brokers.lock().unwrap().entry(word).or_default().clone();
        async move { Ok(Arc::new(broker) as Arc<dyn Broker>) }
    };
    run(open, Guarantees::ALL).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let open = |word: String| {
        let path = folder.path().join(word);
        async move { Ok(Arc::new(FileBroker::open(&path).await?) as Arc<dyn Broker>) }
    };
    run(open, Guarantees::ALL).await.unwrap();
}

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

    async fn subscribe(&self, subscription: &Subscription) -> Result<Box<dyn Consumer>> {
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

async fn verdict(flaw: Flaw) -> String {
    let brokers: Mutex<HashMap<String, MemoryBroker>> = Mutex::default();
    let open = |word: String| {
        let inner = brokers.lock().unwrap().entry(word).or_default().clone();
        async move { Ok(Arc::new(Flawed { flaw, inner }) as Arc<dyn Broker>) }
    };
    run(open, Guarantees::ALL).await.err().map_or("it passes".into(), |error| format!("{error:#}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flaw_is_found() {
    let flaws = [
        (Flaw::LosesHeaders, "all of a message"),
        (Flaw::Duplicates, "ids"),
        (Flaw::MatchesTooMuch, "topics"),
        (Flaw::SharesNothing, "one name"),
        (Flaw::CountsNothing, "retry"),
        (Flaw::IgnoresDelays, "retry"),
        (Flaw::IgnoresExtend, "extend"),
        (Flaw::IgnoresOrder, "one after the other"),
        (Flaw::AnswersNonsense, "one answer"),
        (Flaw::ForgetsRejected, "what is rejected"),
    ];
    let verdicts = flaws.map(|(flaw, found)| async move { (flaw, found, verdict(flaw).await) });
    for (flaw, found, error) in futures::future::join_all(verdicts).await {
        assert!(error.contains(found), "{flaw:?}: {error}");
    }
}
