// A real OpenID Connect provider (npm oidc-provider) on loopback for the sign-in tests:
//     node provider.mjs PORT RETURN_ADDRESS [KEY_ID]
// People sign in at its own pages with any name and password. The name is the e-mail address. Some names are people
// about whom the provider says something wrong: the ID token is made anew with it, and signed with the provider's key.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { Provider } from 'oidc-provider';
import { SignJWT, decodeJwt, importJWK } from 'jose';

const [port, back, kid = 'first'] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

const keys = (name) => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: name, alg: 'RS256', use: 'sig' };
};
const own = keys(kid);
const foreign = keys(kid);

// What is wrong about whom, by the name they sign in with.
const wrong = {
  'audience@example.org': (claims) => ({ ...claims, aud: 'somebody-else' }),
  'audiences@example.org': (claims) => ({ ...claims, aud: [claims.aud, 'somebody-else'] }),
  'issuer@example.org': (claims) => ({ ...claims, iss: 'http://127.0.0.1:9' }),
  'late@example.org': (claims) => ({ ...claims, exp: claims.iat - 3600 }),
  'signature@example.org': (claims) => claims,
  'unsigned@example.org': (claims) => claims,
};

async function altered(token) {
  const claims = decodeJwt(token);
  const alter = wrong[claims.sub];
  if (!alter) return token;
  const said = alter(claims);
  if (claims.sub === 'unsigned@example.org') {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    return `${part({ alg: 'none', kid })}.${part(said)}.`;
  }
  const key = claims.sub === 'signature@example.org' ? foreign : own;
  return new SignJWT(said).setProtectedHeader({ alg: 'RS256', kid }).sign(await importJWK(key, 'RS256'));
}

const provider = new Provider(issuer, {
  jwks: { keys: [own] },
  clients: [{
    client_id: 'concord',
    client_secret: 'not-much: of a secret',
    redirect_uris: [back],
    response_types: ['code'],
    grant_types: ['authorization_code'],
    token_endpoint_auth_method: 'client_secret_basic',
  }],
  claims: { openid: ['sub'], email: ['email', 'email_verified'] },
  pkce: { required: () => true, methods: ['S256'] },
  cookies: { keys: [randomUUID()] },
  ttl: { AuthorizationCode: 8 },
  // `moved+2@…` is another person with the address of `moved+1@…`.
  findAccount: (_, sub) => ({
    accountId: sub,
    claims: () => ({
      sub,
      email: sub.replace(/\+.*@/, '@'),
      email_verified: !sub.startsWith('unverified'),
    }),
  }),
});

provider.use(async (ctx, next) => {
  await next();
  if (ctx.path === '/token' && ctx.body?.id_token) {
    ctx.body = { ...ctx.body, id_token: await altered(ctx.body.id_token) };
  }
});

provider.listen(Number(port), '127.0.0.1', () => console.log('up'));
