use oncecode::*;
use std::time::Instant;
fn main(){
  let rt=tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
  rt.block_on(async{
    let url=std::env::args().nth(1).unwrap_or("memory:".into());
    let t=Instant::now();
    for n in ["+14155550100","+919876543210","+15551234567"] { 
      let _=Identifier::parse(n,None); let t=Instant::now(); for _ in 0..20000 { let _=std::hint::black_box(Identifier::parse(n,None)); } println!("{n} {:?} {:?}", t.elapsed()/20000, Identifier::parse(n,None).map_err(|e|e.to_string())); }
    println!("warm {:?}", t.elapsed());
    let mut o=Options::default(); o.mode=Mode::Development; o.sender=Some("none:".into()); o.deadline_ms=Some(5000.0);
    let once=Oncecode::builder(url).options(o).open().await.unwrap();
    let n=30000u64; let t=Instant::now();
    let flights=16;
    let mut js=vec![];
    for f in 0..flights { let once=once.clone(); js.push(async move{
      for i in 0..n/flights { let to=format!("+9198{:08}", f*(n/flights)+i);
        let s=once.codes().issue(IssueRequest::new(&*to,"login")).await.unwrap();
        once.codes().verify(VerifyRequest::new(&*to,"login",s.code.unwrap().expose())).await.unwrap();
      }})}
    futures::future::join_all(js).await;
    let e=t.elapsed(); println!("{:.0} flows/s  {:.1} us/flow", n as f64/e.as_secs_f64(), e.as_micros() as f64/n as f64);
  });
}
