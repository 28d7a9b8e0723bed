from cosemic import BlockingMeter
from cosemic.model import describe
from cosemic.simulator import HouseholdMeter, serve_in_thread

simulated = HouseholdMeter(7, security="lls")
with serve_in_thread(simulated) as server:
    security = {"password": simulated.security.password}
    with BlockingMeter.connect(server.url(client_sap=2), security) as meter:
        for item in meter.objects():
            print(item.logical_name, describe(item.logical_name))
        print(meter.read("1-0:1.8.0").to("kWh"), "kWh")
