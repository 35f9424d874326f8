//! x
mod host;
#[tokio::test]
async fn smoke() {
    let mut i = host::Instance::new(host::outer(true)).await;
    println!("{:#?}", host::imports());
    for p in ["/tracing","/instrument?id=7","/instrument?id=x","/api","/join","/metrics","/logs","/level","/send?to=http://a/","/stream","/panic"] {
        let c = i.get(p).await;
        println!("{p} {:?}", c.answer);
        for r in c.records { println!("{r:?}"); }
    }
}
