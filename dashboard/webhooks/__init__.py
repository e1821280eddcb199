"""Events sent to addresses that administrators have given, signed, in their order, each at least once.

    verbs        what people do: create, change, try, send again, delete
    sending      which event comes next for an address, one attempt, and what follows from its outcome
    sender       the thread of a node that does so
    posting      one POST within its time, to an address that is allowed (`addresses`), signed (`signing`)

What is to be sent follows from the outbox: each webhook has a cursor into it. Nothing is lost with Redis or a restart.
"""
