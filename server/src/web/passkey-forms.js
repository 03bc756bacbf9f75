// Forms that ask for a passkey: <form data-passkey="create|get" data-options="address">. What the browser answers goes into their field `response`.
(() => {
  'use strict';
  if (!window.DashPasskeys?.supported()) return;

  const options = async (form) => {
    const answer = await fetch(form.dataset.options, { method: 'POST', headers: { accept: 'application/json' } });
    if (!answer.ok) throw new Error(`${form.dataset.options} answered ${answer.status}`);
    return answer.json();
  };

  const send = (form, response) => {
    form.elements.response.value = response;
    // Not requestSubmit: this would come here again.
    form.submit();
  };

  const say = (form, error) => {
    // Whoever changes their mind need not be told of it.
    const words = form.querySelector('[data-passkey-error]');
    if (words && error.name !== 'AbortError' && error.name !== 'NotAllowedError') words.hidden = false;
  };

  const ask = async (form) => {
    const given = await options(form);
    return form.dataset.passkey === 'create' ? DashPasskeys.create(given) : DashPasskeys.get(given);
  };

  document.addEventListener('submit', (event) => {
    const form = event.target.closest('form[data-passkey]');
    if (!form) return;
    event.preventDefault();
    ask(form).then(
      (response) => send(form, response),
      (error) => say(form, error),
    );
  });

  const begin = async () => {
    for (const form of document.querySelectorAll('form[data-passkey]')) form.hidden = false;
    const form = document.querySelector('form[data-passkey="get"]');
    if (!form || !(await DashPasskeys.conditional())) return;
    // In the list of the browser's field for names, until something is chosen.
    DashPasskeys.get(() => options(form), { conditional: true }).then(
      (response) => send(form, response),
      () => {},
    );
  };
  document.readyState === 'loading' ? document.addEventListener('DOMContentLoaded', begin) : begin();
})();
