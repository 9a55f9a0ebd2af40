// The plain page: log in or set up, live counts, and a place to type SQL. It asks for the counts once a second while
// it can be seen, and not at all otherwise.

const $ = (id) => document.getElementById(id)
const number = new Intl.NumberFormat('en')

async function api(method, path, body) {
  const answer = await fetch('/api/v1' + path, {
    method,
    headers: body ? { 'Content-Type': 'application/json' } : {},
    body: body && JSON.stringify(body),
  })
  const text = await answer.text()
  const value = text ? JSON.parse(text) : null
  if (!answer.ok) throw Object.assign(new Error([value?.detail, value?.hint].filter(Boolean).join('; ')), { status: answer.status })
  return value
}

function state(kind, text) {
  $('state').className = 'state ' + kind
  $('state').textContent = text
}

// --- who

const setup = new URLSearchParams(location.hash.slice(1)).get('setup')

async function enter() {
  $('live').hidden = $('leave').hidden = true
  $('enter').hidden = false
  state('', 'Not logged in')
  const { needed } = await api('GET', '/setup')
  if (needed && setup) {
    $('enter-title').textContent = 'Make the first administrator'
    $('enter-help').textContent = 'This link works once. The password has at least 10 characters.'
    $('enter').elements.password.autocomplete = 'new-password'
    $('enter').querySelector('button').textContent = 'Make it'
  } else if (needed) {
    $('enter-help').textContent = 'Nobody can log in yet: open the set-up link that the server printed when it started.'
  }
  $('enter').elements.email.focus()
}

$('enter').addEventListener('submit', async (e) => {
  e.preventDefault()
  const { email, password } = $('enter').elements
  $('refused').textContent = ''
  const who = { email: email.value, password: password.value }
  try {
    const { needed } = await api('GET', '/setup')
    await (needed && setup ? api('POST', '/setup', { token: setup, ...who }) : api('POST', '/login', who))
    history.replaceState(null, '', '/')
    password.value = ''
    show()
  } catch (err) {
    $('refused').textContent = err.message
  }
})

$('leave').addEventListener('click', async () => {
  await api('POST', '/logout')
  stop()
  enter()
})

// --- counts

let timer = 0
let asked = null // the answer that is under way
const history120 = [] // {at, received}, one a second

function show() {
  $('enter').hidden = true
  $('live').hidden = $('leave').hidden = false
  tick()
}

function stop() {
  clearTimeout(timer)
  timer = 0
}

async function tick() {
  stop()
  if (document.hidden || asked) return
  try {
    asked = api('GET', '/status')
    draw(await asked)
  } catch (err) {
    if (err.status === 401) return enter()
    state('bad', 'No answer; trying again')
  } finally {
    asked = null
  }
  timer = setTimeout(tick, 1000)
}

document.addEventListener('visibilitychange', () => !document.hidden && !$('live').hidden && tick())

function draw(s) {
  history120.push({ at: performance.now(), received: s.received })
  if (history120.length > 121) history120.shift()
  const last = history120.at(-1)
  const first = history120.find((p) => last.at - p.at <= 5500)
  $('rate').textContent = first === last ? '–' : number.format(Math.round((last.received - first.received) / ((last.at - first.at) / 1000)))
  $('durable').textContent = number.format(s.received)
  $('rows').textContent = number.format(s.rows)
  $('duplicates').textContent = number.format(s.duplicates)
  $('quarantined').textContent = number.format(s.quarantined)
  $('quarantined').classList.toggle('warn', s.quarantined > 0)
  $('lag').textContent = number.format(s.lag)
  $('view').textContent = s.view
  state(s.notes?.length ? 'bad' : 'good', s.notes?.length ? s.notes.join('; ') : 'Complete to event ' + number.format(s.next - 1))
  chart()
}

function chart() {
  const rates = history120.slice(1).map((p, i) => (p.received - history120[i].received) / Math.max((p.at - history120[i].at) / 1000, 0.001))
  const most = Math.max(...rates, 1)
  const x = (i) => 600 - (rates.length - 1 - i) * 5
  const line = rates.map((r, i) => `${x(i)},${(76 - (r / most) * 68).toFixed(1)}`).join(' ')
  $('chart').querySelector('path').setAttribute('d', rates.length > 1 ? `M${x(0)},84 L${line} L604,${(76 - (rates.at(-1) / most) * 68).toFixed(1)} L604,84 Z` : '')
}

// --- questions

async function ask() {
  const button = $('ask').querySelector('button')
  button.disabled = true
  $('took').className = 'note'
  $('took').textContent = 'Running'
  const began = performance.now()
  try {
    const a = await api('POST', '/sql', { query: $('sql').value, max_rows: 10000 })
    answer(a)
    $('took').textContent = `${number.format(a.rows.length)} ${a.rows.length === 1 ? 'row' : 'rows'} in ${number.format(Math.round(performance.now() - began))} ms`
  } catch (err) {
    $('took').className = 'bad'
    $('took').textContent = err.message
  } finally {
    button.disabled = false
  }
}

function answer({ columns, rows }) {
  const numeric = columns.map((c) => /INT|DOUBLE|FLOAT|DECIMAL/.test(c.type))
  const cell = (kind, text, i) => {
    const el = document.createElement(kind)
    el.textContent = text ?? '∅'
    if (numeric[i]) el.className = 'number'
    return el
  }
  const head = document.createElement('tr')
  head.append(...columns.map((c, i) => cell('th', c.name, i)))
  const body = rows.slice(0, 500).map((row) => {
    const tr = document.createElement('tr')
    tr.append(...row.map((v, i) => cell('td', typeof v === 'object' && v !== null ? JSON.stringify(v) : v, i)))
    return tr
  })
  $('answer').replaceChildren(head, ...body)
}

$('ask').addEventListener('submit', (e) => {
  e.preventDefault()
  ask()
})
$('sql').addEventListener('keydown', (e) => {
  if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) ask()
})

api('GET', '/me').then(show, enter)
