import azure.durable_functions as df

bp = df.Blueprint()


@bp.entity_trigger(context_name="context")
def Counter(context: df.DurableEntityContext):
    value = context.get_state(lambda: 0)
    if context.operation_name == "add":
        value += context.get_input()
    elif context.operation_name == "reset":
        value = 0
    elif context.operation_name == "delete":
        context.destruct_on_exit()
        return
    context.set_result(value)
    context.set_state(value)


@bp.orchestration_trigger(context_name="context")
def count_up(context: df.DurableOrchestrationContext):
    entity = df.EntityId("Counter", context.get_input()["key"])
    context.signal_entity(entity, "add", 1)
    yield context.call_entity(entity, "add", 2)
    return (yield context.call_entity(entity, "get"))


@bp.orchestration_trigger(context_name="context")
def transfer(context, _):
    """Moves an amount from one counter to the other while both are locked."""
    source, target = df.EntityId("Counter", "source"), df.EntityId("Counter", "target")
    with (yield context.lock_entities([source, target])):
        before = yield context.call_entity(source, "get")
        yield context.call_entity(source, "add", -1)
        yield context.call_entity(target, "add", 1)
        after = yield context.call_entity(source, "get")
    return before - after
