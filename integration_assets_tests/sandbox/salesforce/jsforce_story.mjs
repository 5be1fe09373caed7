// What a client that knows nothing of this project makes of the look-alike. Prints one JSON object.
import { Connection } from '@jsforce/jsforce-node';

const [instanceUrl, accessToken] = process.argv.slice(2);
const connection = new Connection({ instanceUrl, accessToken, version: '60.0' });

const created = await connection.sobject('Account').create({ Name: 'Acme', Website: 'acme.com' });
await connection.sobject('Account').update({ Id: created.id, AnnualRevenue: 12.4 });
const account = await connection.sobject('Account').retrieve(created.id);

// 250 rows: the client cuts them into collections of 200.
const rows = [...Array(250).keys()].map((number) => ({ Idea_Key__c: `k${number}`, Title__c: `T${number}` }));
const first = await connection.sobject('Idea__c').upsert(rows, 'Idea_Key__c', { allowRecursive: true });
const again = await connection.sobject('Idea__c').upsert(rows.slice(0, 2), 'Idea_Key__c', { allowRecursive: true });
const bad = await connection.sobject('Idea__c').upsert([{ Idea_Key__c: 'x', Kind__c: 'surprising' }], 'Idea_Key__c', {
  allowRecursive: true,
});

const paged = await connection.query('SELECT Idea_Key__c FROM Idea__c', { autoFetch: true, maxFetch: 10000 });
const found = await connection.sobject('Idea__c').find({ Idea_Key__c: { $in: ['k1', 'k2'] } }, ['Title__c']).sort('Title__c');
const described = await connection.sobject('Idea__c').describe();
const identity = await connection.request('/services/oauth2/userinfo');

let refused = null;
try {
  await connection.query('SELECT Nothing__c FROM Account');
} catch (error) {
  refused = { errorCode: error.errorCode, message: error.message };
}

console.log(
  JSON.stringify({
    revenue: account.AnnualRevenue,
    created: first.filter((one) => one.created).length,
    updated: again.map((one) => [one.success, one.created]),
    bad: bad[0].errors.map((one) => one.statusCode),
    keys: paged.records.length,
    total: paged.totalSize,
    titles: found.map((one) => one.Title__c),
    fields: described.fields.filter((one) => one.custom).map((one) => [one.name, one.type]),
    organization: identity.organization_id,
    usage: connection.limitInfo.apiUsage,
    refused,
  })
);
