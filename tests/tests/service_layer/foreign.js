// A client that nobody in this project wrote, the npm package b1-service-layer, against the sandbox Service Layer:
// `node foreign.js URL`. It says what it found as JSON.
const ServiceLayer = require('b1-service-layer')

async function run(host) {
  const client = new ServiceLayer()
  await client.createSession({ host, company: 'SBODEMOUS', username: 'manager', password: '1234' })
  const order = number => ({
    CardCode: 'C20000',
    DocDueDate: '2026-02-07',
    NumAtCard: number,
    DocumentLines: [{ ItemCode: 'A', Quantity: 2, UnitPrice: 10, TaxCode: 'EX' }]
  })
  const made = []
  for (let at = 0; at < 45; at++) {
    made.push((await client.post('Orders', order(`js-${at}`))).DocEntry)
  }
  const found = await client.find("Orders?$select=DocEntry,DocTotal&$filter=startswith(NumAtCard,'js-')&$orderby=DocEntry")
  await client.patch(`Orders(${made[1]})`, { Comments: 'changed' })
  await client.post(`Orders(${made[0]})/Cancel`)
  const first = await client.get(`Orders(${made[0]})`)
  const second = await client.get(`Orders(${made[1]})?$select=Comments`)
  const refused = await client.post('Orders', { ...order('x'), DocStatus: 'O' })
  return {
    made,
    found: found.map(order => order.DocEntry),
    totals: [...new Set(found.map(order => order.DocTotal))],
    cancelled: first.Cancelled,
    comments: second.Comments,
    refused: refused.message.error.code
  }
}

// The client tells failures there.
console.error = () => {}
run(process.argv[2]).then(
  found => console.log(JSON.stringify(found)),
  error => {
    console.log(String(error.stack))
    process.exitCode = 1
  }
)
